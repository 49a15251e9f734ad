"""A verdict is a function of the set of attempts."""

import itertools

import pytest

from harness.cells import Cell
from harness.results import ComponentResult, Outcome, OutputDifference, Result
from runner.core.runs import Verdict
from runner.core.verdict import fold, missing, to_be_retried

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")
PASS, FAIL, CRASH, TIMEOUT, OOM, SKIP, ERROR = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.CRASH,
    Outcome.TIMEOUT,
    Outcome.OOM,
    Outcome.SKIP,
    Outcome.ERROR,
)


def _attempts(*outcomes: Outcome) -> list[Result]:
    return [
        Result(cell=CELL, outcome=outcome, attempt=number)
        for number, outcome in enumerate(outcomes, 1)
    ]


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ([PASS], Verdict.PASS),
        ([FAIL], Verdict.FAIL),
        ([SKIP], Verdict.SKIP),
        ([ERROR], Verdict.ERROR),
        ([PASS, PASS], Verdict.PASS),
        ([CRASH, CRASH], Verdict.CRASH),
        ([CRASH, PASS], Verdict.FLAKY),
        ([FAIL, PASS, FAIL], Verdict.FLAKY),
        ([SKIP, PASS], Verdict.PASS),
        ([SKIP, FAIL], Verdict.FAIL),
        ([ERROR, FAIL], Verdict.FAIL),
        ([ERROR, SKIP], Verdict.ERROR),
        ([TIMEOUT, FAIL], Verdict.FAIL),
        ([OOM, OOM, FAIL], Verdict.OOM),
    ],
    ids=str,
)
def test_the_verdict_is_the_same_in_any_order(outcomes: list[Outcome], verdict: Verdict) -> None:
    orders = itertools.permutations(_attempts(*outcomes))
    found = {fold(order) for order in orders}
    assert {item.verdict for item in found} == {verdict}
    assert len(found) == 1


def test_a_death_is_suspect_and_a_failure_is_not() -> None:
    assert fold(_attempts(TIMEOUT)).suspect
    assert not fold(_attempts(FAIL)).suspect


def test_a_cell_without_a_result_is_missing_and_never_a_pass() -> None:
    assert missing(CELL).verdict is Verdict.MISSING


def test_the_numbers_come_from_the_components() -> None:
    output = OutputDifference(name="logits", max_abs_diff=0.5)
    part = ComponentResult(name="model", outcome=PASS, outputs=(output,), planned_bytes=7)
    found = fold([Result(cell=CELL, outcome=PASS, components=(part,), peak_rss_bytes=9)])
    assert (found.max_abs_diff, found.planned_bytes, found.peak_rss_bytes) == (0.5, 7, 9)


def test_the_cpu_seconds_of_all_attempts_are_told_and_unknown_is_not_none_at_all() -> None:
    attempts = [Result(cell=CELL, outcome=PASS, attempt=n, cpu_s=n) for n in (1, 2)]
    assert fold(attempts).cpu_s == 3
    assert fold([Result(cell=CELL, outcome=PASS)]).cpu_s is None


def _lost(attempt: int, reason: str = "zygote died") -> Result:
    return Result(cell=CELL, outcome=CRASH, attempt=attempt, reason=reason)


@pytest.mark.parametrize(
    "reason",
    ["pytest worker died", "zygote died", "zygote died (reset by peer)", "killed by SIGTERM"],
)
@pytest.mark.parametrize("outcome", [PASS, FAIL, TIMEOUT])
def test_an_attempt_that_was_lost_says_nothing_beside_another(
    outcome: Outcome, reason: str
) -> None:
    told = Result(cell=CELL, outcome=outcome, attempt=2)
    assert fold([_lost(1, reason), told]).verdict == outcome.value


def test_a_cell_that_is_lost_each_time_is_a_crash() -> None:
    assert fold([_lost(1), _lost(2)]).verdict is Verdict.CRASH


@pytest.mark.parametrize(
    ("attempts", "again"),
    [
        ([PASS], False),
        ([FAIL], False),
        ([CRASH], True),
        ([CRASH, CRASH], False),
        ([CRASH, PASS], False),
        (["lost"], True),
        (["lost", "lost"], True),
        (["lost", CRASH], True),
        (["lost", PASS], False),
        (["lost", CRASH, CRASH], False),
        (["lost"] * 4, False),
    ],
    ids=str,
)
def test_a_suspect_is_retried_once_and_what_was_lost_as_well(
    attempts: list[Outcome | str], again: bool
) -> None:
    results = [
        _lost(number) if each == "lost" else _attempts(Outcome(each))[0].replace(attempt=number)
        for number, each in enumerate(attempts, 1)
    ]
    assert to_be_retried(results) is again
