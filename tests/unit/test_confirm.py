"""What executing an apparent loss again comes to: the table, and what holds for all sets."""

import random
from datetime import UTC, datetime
from itertools import combinations_with_replacement, product

import pytest

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.change import Change
from runner.core.confirm import (
    ENOUGH,
    UNCONFIRMED,
    Confirmation,
    Confirmed,
    Side,
    apparent,
    confirm,
    lacking,
    other_versions,
)
from runner.core.diff import Diff, confirmed, diff
from runner.core.render import as_markdown, as_text, headline
from runner.core.runs import CellVerdict, Run, Verdict

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")
TORCH = {"torch": ("2.12", "2.13")}


def _made(outcome: Outcome, **more: object) -> Result:
    return Result(cell=CELL, outcome=outcome, **more)  # type: ignore[arg-type]  # any field


#: letters of the table
SAID = {
    "P": _made(Outcome.PASS),
    "F": _made(Outcome.FAIL, stage=Stage.LOWER, signature="a"),
    "G": _made(Outcome.FAIL, stage=Stage.CAPTURE, signature="b"),
    "C": _made(Outcome.CRASH, stage=Stage.LOWER, signature="c", signal="SIGSEGV"),
    "E": _made(Outcome.ERROR, reason="no tiny size"),
    "S": _made(Outcome.SKIP),
    "L": _made(Outcome.CRASH, reason="lost with its worker", kind="lost"),
}


def _side(letters: str, *, moved: bool = False) -> Side:
    return Side(executions=tuple(SAID[each] for each in letters), moved=TORCH if moved else {})


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ("PPP", "FFF", "new"),
        ("PPP", "CCC", "new"),
        ("PPP", "FCF", "new"),
        ("PPP", "EEE", "new"),
        ("PPP", "FFFE", "new"),
        ("PPP", "FFP", "flaky"),
        ("PPF", "FFF", "flaky"),
        ("PF", "", "flaky"),
        ("PPP", "PPP", "flaky"),
        ("FFF", "PPP", "flaky"),
        ("FFF", "FFF", "broken-on-baseline-too"),
        ("FFG", "GGG", "broken-on-baseline-too"),
        ("EEE", "EEE", "broken-on-baseline-too"),
        ("GGG", "FFF", "fails-differently"),
        ("CCC", "FFF", "fails-differently"),
        ("EEE", "FFF", "unknown"),
        ("FFF", "EEE", "unknown"),
        ("PPP", "FF", "unknown"),
        ("PP", "FFF", "unknown"),
        ("PPP", "FFEE", "unknown"),
        ("PPP", "SSS", "unknown"),
        ("", "", "unknown"),
    ],
)
def test_the_table_of_confirmations(before: str, after: str, outcome: str) -> None:
    assert confirm(_side(before), _side(after)).outcome == outcome


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ((False, "PPP"), (True, "PPP"), "stack-changed"),
        ((True, "FFF"), (False, "FFF"), "stack-changed"),
        ((True, "PPP"), (True, "FFF"), "new"),
        ((True, "GGG"), (False, "FFF"), "fails-differently"),
        ((True, "PFP"), (True, "FFF"), "flaky"),
    ],
)
def test_another_stack_is_blamed_only_where_it_decides(
    before: tuple[bool, str], after: tuple[bool, str], outcome: str
) -> None:
    sides = (_side(letters, moved=moved) for moved, letters in (before, after))
    found = confirm(*sides)
    assert found.outcome == outcome
    assert ("torch 2.12 (here 2.13)" in found.why) is (outcome == "stack-changed")


def _all_sides(size: int) -> list[str]:
    return [
        "".join(each)
        for count in range(size + 1)
        for each in combinations_with_replacement("PFGCES", count)
    ]


def test_it_is_total_and_no_order_of_executions_matters() -> None:
    chance = random.Random(5)
    for before, after in product(_all_sides(3), _all_sides(3)):
        found = confirm(_side(before), _side(after))
        mixed = ("".join(chance.sample(each, len(each))) for each in (before, after))
        assert found == confirm(*map(_side, mixed))
        assert found.why


def test_more_executions_never_take_a_flake_back() -> None:
    for before, after, more in product(_all_sides(2), _all_sides(2), "PFE"):
        if confirm(_side(before), _side(after)).outcome is Confirmed.FLAKY:
            assert confirm(_side(before + more), _side(after)).outcome is Confirmed.FLAKY


def test_nothing_is_told_as_new_that_ever_failed_at_the_baseline_or_passed_at_the_head() -> None:
    for before, after in product(_all_sides(4), _all_sides(4)):
        if confirm(_side(before), _side(after)).outcome is Confirmed.NEW:
            assert set(before) <= {"P", "E", "S"}
            assert before.count("P") >= ENOUGH
            assert "P" not in after


def test_both_sides_swapped_are_never_both_new() -> None:
    for before, after in product(_all_sides(3), _all_sides(3)):
        there, back = confirm(_side(before), _side(after)), confirm(_side(after), _side(before))
        assert {there.outcome, back.outcome} != {Confirmed.NEW}


@pytest.mark.parametrize(
    ("executions", "lacks"),
    [("", True), ("FF", True), ("FFF", False), ("FFE", True), ("EEE", False), ("SSSSSS", False)],
)
def test_a_side_is_executed_until_it_tells_something_or_is_given_up(
    executions: str, lacks: bool
) -> None:
    assert lacking(_side(executions).executions) is lacks


def _found(verdict: Verdict, stage: Stage | None = None) -> CellVerdict:
    return CellVerdict(cell=CELL, verdict=verdict, stage=stage, signature=stage)


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [
        (_found(Verdict.PASS), _found(Verdict.FAIL), True),
        (_found(Verdict.PASS), _found(Verdict.TIMEOUT), True),
        (_found(Verdict.PASS), _found(Verdict.FLAKY), True),
        (_found(Verdict.PASS), _found(Verdict.ERROR), True),
        (_found(Verdict.FAIL, Stage.LOWER), _found(Verdict.FAIL, Stage.CAPTURE), True),
        (_found(Verdict.FAIL, Stage.CAPTURE), _found(Verdict.FAIL, Stage.LOWER), False),
        (_found(Verdict.PASS), _found(Verdict.MISSING), False),
        (_found(Verdict.PASS), _found(Verdict.SKIP), False),
        (_found(Verdict.TIMEOUT), _found(Verdict.PASS), False),
        (_found(Verdict.FAIL), _found(Verdict.PASS), False),
        (_found(Verdict.PASS), None, False),
    ],
)
def test_only_what_looks_lost_is_executed_again(
    before: CellVerdict, after: CellVerdict | None, asks: bool
) -> None:
    found = _diff([before], [after] if after else [])
    assert apparent(before, after, found.cells[0].change) is asks
    assert (found.cells[0].confirmation == UNCONFIRMED) is asks


def _run(number: int) -> Run:
    return Run(
        id=number,
        uid=f"run-{number}",
        revision=f"5.{number}.0",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=datetime(2026, 11, 25, tzinfo=UTC),
        closed_at=datetime(2026, 11, 25, tzinfo=UTC),
        expected=1,
        verdicts={Verdict.PASS: 1},
    )


def _diff(before: list[CellVerdict], after: list[CellVerdict]) -> Diff:
    return diff(_run(1), _run(2), before, after)


def _told(outcome: Confirmed, after: Verdict = Verdict.FAIL) -> Diff:
    found = _diff([_found(Verdict.PASS)], [_found(after)])
    return confirmed(found, {CELL: Confirmation(outcome=outcome, why="3 of 3")})


@pytest.mark.parametrize(
    "outcome", [Confirmed.FLAKY, Confirmed.BROKEN_ON_BASELINE_TOO, Confirmed.STACK_CHANGED]
)
def test_what_the_head_did_not_bring_is_no_loss_but_counted_and_listed(outcome: Confirmed) -> None:
    found = _told(outcome)
    assert found.losses == 0
    assert found.counts == {Change.REGRESSED: 1}
    assert "1 that the head did not bring" in headline(found)
    for told in (as_text(found), as_markdown(found)):
        assert "1 regressed, 1 of them set aside" in told
        assert told.count(CELL.id) == 1
        assert "3 of 3" in told


def test_what_could_not_be_told_stays_a_loss() -> None:
    assert _told(Confirmed.UNKNOWN).losses == 1


def test_a_death_that_comes_each_time_is_a_loss_and_one_that_does_not_is_in_doubt() -> None:
    assert _told(Confirmed.NEW, Verdict.CRASH).losses == 1
    assert _told(Confirmed.NEW, Verdict.CRASH).doubts == 0
    assert _told(Confirmed.UNKNOWN, Verdict.CRASH).losses == 0
    assert _told(Confirmed.UNKNOWN, Verdict.CRASH).doubts == 1


def test_a_diff_says_what_was_not_executed_again_and_with_which_command_it_is() -> None:
    told = as_text(_diff([_found(Verdict.PASS)], [_found(Verdict.FAIL)]))
    assert "1 not executed again yet\n  export-matrix confirm 1 2" in told


def test_versions_that_a_revision_brings_are_no_other_stack() -> None:
    assert other_versions({"torch": "1", "transformers": "2"}, {"torch": "1"}) == {}
    assert other_versions({"torch": "1"}, {"torch": "2", "onnx": "3"}) == {
        "onnx": (None, "3"),
        "torch": ("1", "2"),
    }
