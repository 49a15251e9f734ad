"""How what a cell came to compares with what is known of it."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest

from harness.cells import Cell
from harness.results import Outcome, Stage
from runner.core.judge import judge
from runner.core.known import Known, KnownFailure, Standing, stand
from runner.core.runs import CellVerdict, Verdict

CELL = Cell.parse("mamba/MambaModel/forward-dynamic/onnx")
TODAY = date(2026, 11, 25)
FAILURES = [Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM]


def _row(
    cells: str = CELL.id,
    *,
    outcome: Outcome | None = None,
    stage: Stage | None = None,
    kind: str | None = None,
    expires_on: date | None = None,
) -> KnownFailure:
    return KnownFailure(
        cells=cells,
        reason="it is known",
        file="known_failures.toml",
        line=3,
        last_line=9,
        outcome=outcome,
        stage=stage,
        kind=kind,
        expires_on=expires_on,
    )


def _found(
    verdict: Verdict, stage: Stage | None = Stage.LOWER, kind: str | None = "unsupported-op"
) -> CellVerdict:
    return CellVerdict(cell=CELL, verdict=verdict, stage=stage, kind=kind)


LOWER = _row(stage=Stage.LOWER)
UNSUPPORTED = _row(stage=Stage.LOWER, kind="unsupported-op")
CRASHES = _row(outcome=Outcome.CRASH, stage=Stage.LOWER)
ANY = _row()


@pytest.mark.parametrize(
    ("row", "found", "standing", "why"),
    [
        (LOWER, _found(Verdict.FAIL), "as-expected", "as the entry says"),
        (LOWER, _found(Verdict.FAIL, Stage.CAPTURE), "worse", "stops at capture instead of lower"),
        (LOWER, _found(Verdict.FAIL, Stage.INFER), "better", "stops at infer instead of lower"),
        (LOWER, _found(Verdict.FAIL, None), "worse", "stops at no known stage instead of lower"),
        (LOWER, _found(Verdict.CRASH), "worse", "crash instead of fail"),
        (LOWER, _found(Verdict.CRASH, Stage.INFER), "worse", "crash instead of fail"),
        (LOWER, _found(Verdict.PASS, None, None), "better", "passes"),
        (UNSUPPORTED, _found(Verdict.FAIL), "as-expected", "as the entry says"),
        (UNSUPPORTED, _found(Verdict.FAIL, kind="cond"), "worse", "kind cond instead of"),
        (UNSUPPORTED, _found(Verdict.FAIL, Stage.INFER, "mismatch"), "better", "stops at infer"),
        (_row(kind="cond"), _found(Verdict.TIMEOUT), "worse", "timeout instead of fail"),
        (CRASHES, _found(Verdict.CRASH), "as-expected", "as the entry says"),
        (CRASHES, _found(Verdict.TIMEOUT), "worse", "timeout instead of crash"),
        (CRASHES, _found(Verdict.FAIL), "better", "fail instead of crash"),
        (CRASHES, _found(Verdict.FAIL, Stage.CAPTURE), "worse", "fail instead of crash"),
        (CRASHES, _found(Verdict.CRASH, Stage.CAPTURE), "worse", "stops at capture"),
        (ANY, _found(Verdict.OOM, Stage.BUILD), "as-expected", "as the entry says"),
        (ANY, _found(Verdict.SKIP), "unknown", "skip: says nothing of it"),
        (ANY, _found(Verdict.FLAKY), "unknown", "flaky: says nothing of it"),
    ],
)
def test_a_cell_stands_with_its_entry(
    row: KnownFailure, found: CellVerdict, standing: str, why: str
) -> None:
    assert stand(row, found, TODAY)[0] == standing
    assert stand(row, found, TODAY)[1].startswith(why)


def test_an_entry_excuses_up_to_its_last_day_and_no_longer() -> None:
    row = _row(expires_on=TODAY)
    assert stand(row, _found(Verdict.FAIL), TODAY)[0] is Standing.AS_EXPECTED
    assert stand(row, _found(Verdict.FAIL), date(2026, 11, 26))[0] is Standing.EXPIRED


def test_the_table_is_total_and_keeps_its_promises() -> None:
    """Every row over every verdict: 5 x 3 x 2 x 2 rows, 9 x 4 x 2 verdicts."""
    rows = [
        _row(outcome=outcome, stage=stage, kind=kind, expires_on=until)
        for outcome in (None, Outcome.FAIL, Outcome.CRASH, Outcome.TIMEOUT, Outcome.OOM)
        for stage in (None, Stage.CAPTURE, Stage.INFER)
        for kind in (None, "a")
        for until in (None, date(2026, 1, 1))
    ]
    verdicts = [
        _found(verdict, stage, kind)
        for verdict in Verdict
        for stage in (None, Stage.EAGER, Stage.CAPTURE, Stage.RESIZE)
        for kind in ("a", "b")
    ]
    for row, found in product(rows, verdicts):
        standing, why = stand(row, found, TODAY)
        case = (row, found, why)
        assert why, case
        assert (standing is Standing.UNKNOWN) == (found.verdict not in (Verdict.PASS, *FAILURES)), (
            case
        )
        if found.verdict is Verdict.PASS:
            assert standing is Standing.BETTER, case
        if row.expires_on:
            assert standing in (Standing.BETTER, Standing.EXPIRED, Standing.UNKNOWN), case
        elif row == ANY and found.verdict in FAILURES:
            assert standing is Standing.AS_EXPECTED, case
        if standing is Standing.AS_EXPECTED:
            assert row.outcome in (None, found.verdict), case
            assert row.stage in (None, found.stage), case
            assert row.kind in (None, found.kind), case


# ── a run ───────────────────────────────────────────────────────────────────────────────────────
def _verdicts(*spelled: str) -> list[CellVerdict]:
    """`mamba/MambaModel/forward-static/onnx fail` and so on."""
    pairs = (each.split() for each in spelled)
    return [
        CellVerdict(cell=Cell.parse(cell), verdict=Verdict(verdict), stage=Stage.LOWER)
        for cell, verdict in pairs
    ]


def _judged(cells: str, *spelled: str, selection: str = "all") -> Known:
    return judge([_row(cells)], _verdicts(*spelled), today=TODAY, selection=selection)


STATIC, DYNAMIC = "mamba/MambaModel/forward-static/toy", "mamba/MambaModel/forward-dynamic/toy"


@pytest.mark.parametrize(
    ("spelled", "standing", "advice"),
    [
        ([f"{STATIC} pass", f"{DYNAMIC} pass"], "stale", "remove this entry"),
        ([f"{STATIC} pass", f"{DYNAMIC} error"], "stale", "remove this entry"),
        (
            [f"{STATIC} pass"],
            "passing",
            "remove this entry once these pass too: forward-dynamic (toy)",
        ),
        ([f"{STATIC} pass", f"{DYNAMIC} fail"], "better", "narrow this entry: 1 of 2 cells pass"),
        ([f"{STATIC} fail", f"{DYNAMIC} fail"], "as-expected", None),
        ([f"{STATIC} skip", f"{DYNAMIC} missing"], "unknown", None),
    ],
)
def test_an_entry_stands_as_its_cells_do(
    spelled: list[str], standing: str, advice: str | None
) -> None:
    (entry,) = _judged("mamba/*", *spelled).entries
    assert entry.standing == standing
    assert (entry.advice or "").startswith(advice or "")
    assert entry.stale == (standing == "stale")


def test_a_run_of_one_backend_leaves_the_others_to_be_run() -> None:
    static, dynamic = (
        f"mamba/MambaModel/forward-{shape}/onnx pass" for shape in ("static", "dynamic")
    )
    (entry,) = _judged("mamba/MambaModel/*-static", static, dynamic).entries
    assert entry.unseen == ("forward-static (dynamo, executorch)",)


@pytest.mark.parametrize(
    ("selection", "standing"), [("all", "passing"), ("all provider:testers", "stale")]
)
def test_a_skip_of_upstreams_is_stale_only_by_upstreams_own_cases(
    selection: str, standing: str
) -> None:
    row = replace(_row("mamba/*"), upstream=True)
    verdicts = _verdicts(f"{STATIC} pass", f"{DYNAMIC} pass")
    (entry,) = judge([row], verdicts, today=TODAY, selection=selection).entries
    assert entry.standing == standing
    assert ("--provider testers" in (entry.advice or "")) == (standing == "passing")


@pytest.mark.parametrize(
    ("cells", "selection", "standing"),
    [
        ("gone/*", "all", "unmatched"),
        ("gone/*", "all backend:toy provider:testers", "unmatched"),
        ("gone/*", "popular", "not-run"),
        ("gone/*", "", "not-run"),
        ("class:GoneModel variant:*-dynamic", "all", "unmatched"),
        ("mamba/*/generate-*/toy", "all", "not-run"),
        ("class:MambaModel backend:onnx", "all", "not-run"),
    ],
)
def test_only_a_run_over_all_classes_shows_that_an_entry_means_nothing(
    cells: str, selection: str, standing: str
) -> None:
    (entry,) = _judged(cells, f"{STATIC} pass", selection=selection).entries
    assert entry.standing == standing


def test_of_two_entries_for_a_cell_the_first_tells_and_both_are_judged() -> None:
    rows = [_row("mamba/*"), _row("*/MambaModel", stage=Stage.INFER)]
    known = judge(rows, _verdicts(f"{STATIC} fail"), today=TODAY, selection="all")
    assert known.counts == {Standing.AS_EXPECTED: 1}
    assert [entry.standing for entry in known.entries] == ["as-expected", "worse"]


@pytest.mark.parametrize(
    "cells",
    [
        "mamba",
        "MambaModel",
        "*Model",
        "*/mambamodel",
        "m*/*/forward-static",
        "model:mamba",
        "class:Mamba*",
        "backend:toy",
        "gone/* mamba/*",
    ],
)
def test_an_entry_means_cells_as_a_selection_does(cells: str) -> None:
    assert (
        len(_judged(cells, f"{STATIC} fail", "opt/OPTForCausalLM/forward-static/onnx fail").cells)
        == 1
    )


def test_an_entry_names_its_lines() -> None:
    assert _row().place == "known_failures.toml:3-9"
