"""What badges say: never more than is known, never greener than it is."""

import pytest

from runner.core.badge import badge
from runner.core.runs import Verdict

P, F, S, M = Verdict.PASS, Verdict.FAIL, Verdict.SKIP, Verdict.MISSING
GREEN = "#1a7f37"


@pytest.mark.parametrize(
    ("verdicts", "complete", "message"),
    [
        ({P: 412, F: 138, S: 9}, True, "412 of 550 pass"),
        ({P: 5}, True, "5 of 5 pass"),
        ({P: 5}, False, "incomplete"),
        ({P: 5, M: 1}, True, "incomplete"),
        ({S: 5}, True, "unknown"),
        ({}, True, "unknown"),
        ({}, False, "unknown"),
    ],
)
def test_what_it_says(verdicts: dict[Verdict, int], complete: bool, message: str) -> None:
    told = badge("exports", verdicts, complete=complete)
    assert told.message == message
    assert (told.colour == GREEN) is (message == "5 of 5 pass")
