"""What may be carried over, and what an audit says."""

import pytest

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.reuse import audit, is_audited, lasting

CELL = Cell.parse("bert/BertModel/forward-static/onnx")


def _result(outcome: Outcome, **more: object) -> Result:
    return Result(cell=CELL, outcome=outcome, stage=Stage.COMPARE, reason="differs").replace(**more)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.PASS], True),
        ([Outcome.FAIL], True),
        ([], False),
        ([Outcome.ERROR], False),
        ([Outcome.SKIP], False),
        ([Outcome.TIMEOUT], False),
        ([Outcome.OOM], False),
        ([Outcome.CRASH, Outcome.CRASH], False),
        ([Outcome.CRASH, Outcome.PASS], False),
        ([Outcome.FAIL, Outcome.PASS], False),
    ],
)
def test_only_what_says_something_about_the_model_is_carried(
    outcomes: list[Outcome], expected: bool
) -> None:
    assert lasting([_result(outcome) for outcome in outcomes]) is expected


def test_a_sample_is_the_same_each_time_and_of_about_the_share_asked_for() -> None:
    cells = [Cell.parse(f"m{n}/M/forward-static/onnx") for n in range(5000)]
    chosen = [cell for cell in cells if is_audited("run", cell, 2)]
    assert chosen == [cell for cell in cells if is_audited("run", cell, 2)]
    assert 60 < len(chosen) < 140
    assert not any(is_audited("run", cell, 0) for cell in cells)
    assert all(is_audited("run", cell, 100) for cell in cells)


def test_an_audit_counts_another_cause_as_a_miss_and_not_what_has_not_run() -> None:
    expected = _result(Outcome.FAIL, signature="a")
    other = Cell.parse("bert/BertModel/forward-static/dynamo")
    found = audit(
        [expected, expected.replace(cell=other)],
        {CELL: [_result(Outcome.FAIL, signature="b")]},
        carried=7,
    )
    assert (found.carried, found.audited, found.missed) == (7, 1, (CELL.id,))
