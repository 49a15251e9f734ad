"""Which result lines of code that nobody has read are believed."""

import json

import pytest

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Outcome, Result, Stage
from runner.core.foreign import LONGEST, believed

CELL = Cell.parse("m/M/forward-static/onnx")
OTHER = Cell.parse("n/N/forward-static/onnx")
FAILED = Result(
    cell=CELL, outcome=Outcome.FAIL, stage=Stage.CAPTURE, run="pr", reason="RuntimeError: no"
)


def _read(line: str) -> Result:
    return believed(line, run="pr", attempts=(1,), cells=[CELL])


def test_what_was_asked_for_is_believed_and_labelled_here() -> None:
    forged = FAILED.replace(signature="s1-of-another", title="harmless", carried_from="nightly")
    found = _read(forged.to_line())
    assert found.signature not in (None, "s1-of-another")
    assert found.title != "harmless"
    assert found.carried_from is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (FAILED.replace(run="nightly").to_line(), "another run"),
        (FAILED.replace(cell=OTHER).to_line(), "not asked for"),
        (FAILED.replace(attempt=2).to_line(), "attempt"),
        (FAILED.replace(log_tail="x" * LONGEST).to_line(), "longer than"),
        (json.dumps({"schema": 1, "cell": "../../etc/passwd", "outcome": "pass"}), None),
        (json.dumps({"schema": 1, "cell": CELL.id}), None),
        (json.dumps({"schema": 1, "cell": CELL.id, "outcome": {"a": 1}, "run": "pr"}), None),
        (json.dumps({"schema": 99, "cell": CELL.id, "outcome": "pass"}), None),
        ("[" * 100_000, None),
        ("null", None),
        ("\x00\x00", None),
        ("", None),
    ],
)
def test_anything_else_is_not(line: str, why: str | None) -> None:
    with pytest.raises(MatrixError, match=why):
        _read(line)
