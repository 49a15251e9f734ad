"""What draft exports tell of what stands behind a cell's first error."""

import json
from dataclasses import asdict
from pathlib import Path
from traceback import FrameSummary
from typing import Any

import pytest

from harness.cells import Cell
from harness.drafting import NEEDED, Line, Noted, Notes, kernels, read
from harness.results import Outcome, Result, Stage
from runner.core.drafts import Draft, drafted
from runner.core.label import label
from runner.core.owner import by_class
from runner.core.runs import CellVerdict, Verdict
from runner.core.unlock import order, reasons, waiting

CELL = Cell.parse("toy/ToyModel/forward-static/onnx")
FILE = "/lib/transformers/models/toy/modeling_toy.py"


def _needs(expression: str, source: str) -> Noted:
    line = Line(path=FILE, line=7, function="forward", source=source)
    return Noted(what=NEEDED, about=expression, lines=(line,))


def _stopped_at(source: str) -> Result:
    said = "Could not guard on data-dependent expression Eq(u8, 1) (unhinted: Eq(u8, 1))."
    trace = (
        'Traceback (most recent call last):\n  File "/x/harness/attempt.py", line 1, in export\n'
        f'    export()\n  File "{FILE}", line 90, in forward\n    {source}\n'
        f"torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode: {said}\n"
    )
    reason = f"GuardOnDataDependentSymNode: {said}"
    failed = Result(cell=CELL, outcome=Outcome.FAIL, stage=Stage.CAPTURE, reason=reason)
    return label(failed.replace(traceback=trace))


FIRST, SECOND = _stopped_at("if x.sum() > 0:"), _stopped_at("for i in hits:")
NOTED = [_needs("Eq(u0, 1)", "if x.sum() > 0:"), _needs("u3", "for i in hits:")]
PASSED = Result(cell=CELL, outcome=Outcome.PASS)


def _draft(ended: Result, notes: list[Noted] = NOTED) -> Draft:
    return drafted(CELL, FIRST.signature or "", notes, ended)


def test_a_value_that_a_draft_was_given_has_the_signature_of_the_attempt_it_stops() -> None:
    found = _draft(PASSED)
    assert [each.signature for each in found.failures] == [FIRST.signature, SECOND.signature]
    assert found.stopped is None


def test_what_fails_after_the_capture_stands_behind_as_well() -> None:
    ended = Result(cell=CELL, outcome=Outcome.FAIL, stage=Stage.LOWER, reason="ValueError: no")
    found = _draft(ended)
    assert found.failures[-1].stage is Stage.LOWER
    assert len(found.reasons) == 3


@pytest.mark.parametrize(
    "ended",
    [
        Result(cell=CELL, outcome=Outcome.FAIL, stage=Stage.CAPTURE, reason="its own limit"),
        Result(cell=CELL, outcome=Outcome.TIMEOUT, stage=Stage.LOWER, reason="over 60 s"),
        Result(cell=CELL, outcome=Outcome.FAIL, stage=Stage.RESIZE, reason="refuses other sizes"),
        Result(
            cell=CELL,
            outcome=Outcome.FAIL,
            stage=Stage.INFER,
            reason="RuntimeError: Runtime assertion failed for expression u0 >= 1",
        ),
        Result(cell=CELL, outcome=Outcome.ERROR, stage=Stage.EAGER, reason="ours"),
    ],
)
def test_a_draft_that_gives_up_says_so_and_accuses_nobody_for_it(ended: Result) -> None:
    found = _draft(ended)
    assert found.stopped == f"{ended.outcome} at {ended.stage}: {ended.reason}"
    assert len(found.failures) == 2


def test_a_fake_kernel_is_told_and_keeps_no_cell_from_passing() -> None:
    wrong = Noted(what="mismatched_fake_kernel", about="aten.foo", reason="shapes differ")
    found = _draft(PASSED, [wrong])
    assert found.kernels == ("aten.foo: mismatched_fake_kernel",)
    assert found.reasons == {FIRST.signature}


def test_a_draft_is_read_back_as_it_was_written() -> None:
    found = _draft(PASSED)
    assert Draft.of(json.loads(json.dumps(found.to_record()))) == found


# ── how it changes what a fix unlocks ───────────────────────────────────────────────────────────
def _verdict(cell: Cell, stage: Stage, signature: str | None) -> CellVerdict:
    return CellVerdict(cell=cell, verdict=Verdict.FAIL, stage=stage, signature=signature)


FAILED = _verdict(CELL, Stage.CAPTURE, FIRST.signature)
SIBLING = _verdict(Cell.parse("toy/ToyModel/forward-dynamic/onnx"), Stage.LOWER, "behind")


def test_a_cell_waits_for_all_that_its_draft_met() -> None:
    drafts = {CELL: _draft(PASSED)}
    waits = waiting([FAILED], by_class([FAILED]), drafts)
    assert waits == [{FIRST.signature, SECOND.signature}]
    assert [each.total for each in order(waits, {}, limit=9)] == []


def test_a_draft_that_came_to_the_end_knows_better_than_siblings() -> None:
    assert "behind" in reasons(FAILED, [SIBLING])
    assert "behind" not in reasons(FAILED, [SIBLING], _draft(PASSED))


def test_siblings_speak_where_a_draft_stopped() -> None:
    stopped = Result(cell=CELL, outcome=Outcome.CRASH, reason="killed by SIGSEGV")
    assert "behind" in reasons(FAILED, [SIBLING], _draft(stopped))


def test_a_draft_of_another_failure_says_nothing_of_this_one() -> None:
    other = _verdict(CELL, Stage.CAPTURE, "s2-other")
    assert reasons(other, [], _draft(PASSED)) == {"s2-other"}


# ── what torch logs ─────────────────────────────────────────────────────────────────────────────
def test_of_torchs_logs_fake_kernels_are_noted_once_each() -> None:
    logs: list[tuple[str, Any]] = [
        ("str", (FILE, 3)),
        ("expression_created", {"result": "u0 + 1"}),
        ("missing_fake_kernel", {"op": "my.op"}),
        ("missing_fake_kernel", {"op": "my.op"}),
        ("mismatched_fake_kernel", {"op": "aten.foo", "reason": "shapes differ"}),
    ]
    assert kernels(logs) == [
        Noted(what="missing_fake_kernel", about="my.op"),
        Noted(what="mismatched_fake_kernel", about="aten.foo", reason="shapes differ"),
    ]


def test_a_place_is_noted_once_and_a_drafts_own_checks_never(tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes")
    model = FrameSummary(FILE, 7, "forward", line="if x.sum() > 0:")
    check = FrameSummary("/lib/torch/_subclasses/fake_utils.py", 205, "check", line="if s != r:")
    for expression, stack in (("u0 > 0", [model]), ("u1 > 0", [model]), ("u2", [model, check])):
        notes.value_needed(expression, stack)
    assert [each.about for each in read(tmp_path / "notes")] == ["u0 > 0"]


def test_notes_are_read_as_they_were_written_and_nothing_else_is(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    assert read(file) == []
    file.write_text("".join(f"{json.dumps(asdict(each))}\n" for each in NOTED))
    assert read(file) == NOTED
    for text in ("[", "[1]", '{"what": 1}', "7"):
        file.write_text(text)
        assert read(file) == []
