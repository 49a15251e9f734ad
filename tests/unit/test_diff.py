"""What became of a cell: the whole table, and the diff that is made of it."""

from datetime import UTC, datetime

import pytest

from harness.cells import Cell
from harness.results import Stage
from runner.core.change import Change, compare
from runner.core.diff import diff, explained
from runner.core.owner import by_class
from runner.core.record import record_of
from runner.core.runs import CellVerdict, Run, Verdict

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")


def _found(
    verdict: Verdict, *, stage: Stage | None = None, signature: str | None = None
) -> CellVerdict:
    return CellVerdict(cell=CELL, verdict=verdict, stage=stage, signature=signature)


SIDES: dict[str, CellVerdict | None] = {
    "absent": None,
    "missing": _found(Verdict.MISSING),
    "error": _found(Verdict.ERROR),
    "skip": _found(Verdict.SKIP),
    "flaky": _found(Verdict.FLAKY),
    "crash": _found(Verdict.CRASH, signature="c"),
    "fail": _found(Verdict.FAIL, stage=Stage.LOWER, signature="a"),
    "fails otherwise": _found(Verdict.FAIL, stage=Stage.LOWER, signature="b"),
    "fails earlier": _found(Verdict.FAIL, stage=Stage.CAPTURE, signature="d"),
    "pass": _found(Verdict.PASS),
}

#: rows: before; columns: after, in the order of SIDES without `fails …`; the table of the module
TABLE = """
before  | absent  missing error   skip          flaky   crash         fail              pass
absent  | removed added   added   added         added   added         added             added
missing | removed unknown unknown unknown       unknown unknown       unknown           unknown
error   | removed unknown unknown unknown       unknown unknown       unknown           unknown
skip    | removed unknown unknown still-skipped unskipped unskipped   unskipped         unskipped
flaky   | removed unknown unknown newly-skipped suspect suspect       suspect           suspect
crash   | removed unknown unknown newly-skipped suspect still-failing suspect           suspect
fail    | removed unknown unknown newly-skipped suspect suspect       still-failing     fixed
pass    | removed unknown unknown newly-skipped suspect suspect       regressed         still-passing
"""


def _rows() -> list[tuple[str, str, str]]:
    head, *lines = TABLE.strip().splitlines()
    columns = head.partition("|")[2].split()
    return [
        (line.partition("|")[0].strip(), after, change)
        for line in lines
        for after, change in zip(columns, line.partition("|")[2].split(), strict=True)
    ]


@pytest.mark.parametrize(("before", "after", "change"), _rows())
def test_the_table_is_total(before: str, after: str, change: str) -> None:
    assert compare(SIDES[before], SIDES[after]) == change


def test_another_failure_at_the_same_stage_fails_differently() -> None:
    assert compare(SIDES["fail"], SIDES["fails otherwise"]) is Change.FAILS_DIFFERENTLY


def test_failing_earlier_is_a_loss_and_failing_later_is_progress() -> None:
    assert compare(SIDES["fail"], SIDES["fails earlier"]) is Change.REGRESSED
    assert compare(SIDES["fails earlier"], SIDES["fail"]) is Change.FAILS_DIFFERENTLY


def _run(number: int, *, expected: int, passed: int) -> Run:
    return Run(
        id=number,
        uid=f"run-{number}",
        revision=f"5.{number}.0",
        stack={"torch": f"2.{number}"},
        selection="smoke",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        closed_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
        expected=expected,
        verdicts={Verdict.PASS: passed},
    )


def _cells(*verdicts: CellVerdict) -> list[CellVerdict]:
    return list(verdicts)


def test_a_diff_of_an_incomplete_run_says_so_and_why_cells_are_unknown() -> None:
    found = diff(
        _run(1, expected=1, passed=1),
        _run(2, expected=1, passed=0),
        _cells(_found(Verdict.PASS)),
        _cells(_found(Verdict.MISSING)),
    )
    assert not found.complete
    assert found.cells[0].reason == "head: no result"
    assert found.losses == 1


def test_an_error_of_ours_is_told_as_ours() -> None:
    ours = CellVerdict(cell=CELL, verdict=Verdict.ERROR, reason="timm is not installed")
    found = diff(
        _run(1, expected=1, passed=1), _run(2, expected=1, passed=1), [_found(Verdict.PASS)], [ours]
    )
    assert found.cells[0].change is Change.UNKNOWN
    assert found.cells[0].reason == "head: ours, timm is not installed"


def test_cells_that_share_a_failure_stand_in_one_group() -> None:
    others = [Cell.parse(f"m{number}/M/forward-static/onnx") for number in range(3)]
    before = [CellVerdict(cell=cell, verdict=Verdict.PASS) for cell in others]
    after = [
        CellVerdict(cell=cell, verdict=Verdict.FAIL, signature="s1-aa", title="op")
        for cell in others
    ]
    found = diff(_run(1, expected=3, passed=3), _run(2, expected=3, passed=3), before, after)
    assert [(group.signature, len(group.cells)) for group in found.groups] == [("s1-aa", 3)]


def test_the_json_is_the_contract_of_the_command_line() -> None:
    compared = diff(
        _run(1, expected=1, passed=1),
        _run(2, expected=1, passed=1),
        [_found(Verdict.PASS)],
        [_found(Verdict.FAIL, stage=Stage.LOWER, signature="a")],
    )
    found = record_of(compared)
    assert set(found) >= {"baseline", "head", "complete", "counts", "groups", "cells"}
    assert found["counts"] == {"regressed": 1}
    assert set(found["cells"][0]) >= {"cell", "change", "before", "after"}
    assert found["stack"] == {"torch": ("2.1", "2.2")}


def test_a_fix_is_explained_by_the_baseline_and_a_failure_by_the_head() -> None:
    broken, mended = (Cell.parse(f"{name}/M/forward-static/onnx") for name in ("a", "b"))
    failed = {
        cell: CellVerdict(cell=cell, verdict=Verdict.FAIL, stage=Stage.LOWER, signature="s1-aa")
        for cell in (broken, mended)
    }
    passed = {cell: CellVerdict(cell=cell, verdict=Verdict.PASS) for cell in failed}
    witness = CellVerdict(cell=Cell.parse("b/M/forward-static/dynamo"), verdict=Verdict.PASS)
    compared = explained(
        diff(
            _run(1, expected=2, passed=1),
            _run(2, expected=2, passed=1),
            [passed[broken], failed[mended]],
            [failed[broken], passed[mended]],
        ),
        before=by_class([failed[mended], witness]),
        after=by_class([failed[broken]]),
        made_of={},
    )
    found = record_of(compared)
    told = {group["change"]: (group["owner"], group["evidence"]) for group in found["groups"]}
    assert told["fixed"] == ("torch.onnx", "1 of 1 cells: dynamo passes the same case → torch.onnx")
    assert told["regressed"][1].startswith("1 of 1 cells: dynamo was not asked")


def test_the_json_tells_roots_and_their_dependants() -> None:
    cells = [Cell.parse(f"a/{name}/forward-static/onnx") for name in ("AForCausalLM", "AModel")]
    failed = [CellVerdict(cell=cell, verdict=Verdict.FAIL, signature="s1-aa") for cell in cells]
    passed = [CellVerdict(cell=cell, verdict=Verdict.PASS) for cell in cells]
    runs = _run(1, expected=2, passed=2), _run(2, expected=2, passed=0)
    compared = explained(diff(*runs, passed, failed), before={}, after={}, made_of={})
    found = record_of(compared)
    head, root = (cell.id for cell in cells)
    assert found["groups"][0]["causes"] == [{"root": root, "dependants": [head]}]
    assert {each["cell"]: each["root"] for each in found["cells"]} == {head: root, root: None}
