"""What counts as a false alarm, and what as a miss."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from harness.cells import Cell
from runner.core.change import Change
from runner.core.confirm import Confirmation, Confirmed
from runner.core.diff import Diff, confirmed, diff
from runner.core.plants import Plant
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.selfcheck import Figure, Selfcheck, line, of_itself, of_plants

A, B = (Cell.parse(f"{name}/M/forward-static/onnx") for name in "ab")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def _run(number: int, *, expected: int = 2) -> Run:
    return Run(
        id=number,
        uid=f"r{number}",
        revision="5.23.0",
        stack={},
        selection="selfcheck",
        started_at=NOW,
        closed_at=NOW,
        expected=expected,
        verdicts={Verdict.PASS: 2},
    )


def _diff(a: Verdict, b: Verdict, *, came_to: Confirmed = Confirmed.NEW, lacking: int = 0) -> Diff:
    before = [CellVerdict(cell=cell, verdict=Verdict.PASS) for cell in (A, B)]
    after = [CellVerdict(cell=cell, verdict=verdict) for cell, verdict in ((A, a), (B, b))]
    found = diff(_run(1), _run(2, expected=2 + lacking), before, after)
    told = {cell: Confirmation(outcome=came_to, why="3 of 3") for cell in (A, B)}
    return confirmed(found, told)


def _plant(change: Change = Change.REGRESSED, confirmed: Confirmed = Confirmed.NEW) -> Plant:
    return Plant(name="a breakage", file="m.py", cells={A: change}, confirmed=confirmed)


def _counts(found: Diff, plant: Plant) -> tuple[int, int]:
    figures = list(of_plants(found, [plant]))
    assert sum(each.cells for each in figures) == 2
    alarms, misses = (
        sum(len(getattr(each, name)) for each in figures) for name in ("false_alarms", "misses")
    )
    return alarms, misses


@pytest.mark.parametrize(
    ("found", "plant", "counts"),
    [
        (_diff(Verdict.FAIL, Verdict.PASS), _plant(), (0, 0)),
        (_diff(Verdict.PASS, Verdict.PASS), _plant(), (0, 1)),
        (_diff(Verdict.FAIL, Verdict.FAIL), _plant(), (1, 0)),
        (_diff(Verdict.SKIP, Verdict.PASS), _plant(), (0, 1)),
        (_diff(Verdict.FAIL, Verdict.PASS, came_to=Confirmed.FLAKY), _plant(), (0, 1)),
        (_diff(Verdict.FAIL, Verdict.PASS), _plant(confirmed=Confirmed.FLAKY), (0, 1)),
        (_diff(Verdict.FAIL, Verdict.PASS), _plant(Change.STILL_PASSING), (1, 0)),
        (_diff(Verdict.PASS, Verdict.PASS), _plant(Change.STILL_PASSING), (0, 0)),
    ],
)
def test_a_cell_is_told_as_planted_or_is_a_miss_or_a_false_alarm(
    found: Diff, plant: Plant, counts: tuple[int, int]
) -> None:
    assert _counts(found, plant) == counts


def test_a_revision_against_itself_tells_nothing_even_where_it_is_set_aside() -> None:
    assert of_itself([_diff(Verdict.PASS, Verdict.PASS)] * 3).quiet == 6
    flaky = _diff(Verdict.PASS, Verdict.FAIL, came_to=Confirmed.FLAKY)
    [alarm] = of_itself([flaky]).false_alarms
    assert alarm.startswith(f"{B.id}: regressed, flaky")


def test_an_incomplete_run_shows_nothing() -> None:
    found = _diff(Verdict.FAIL, Verdict.PASS, lacking=1)
    assert _counts(found, _plant()) == (0, 2)


def test_only_a_selfcheck_without_any_error_passes() -> None:
    good = Figure(planted="x", loud=3, quiet=4)
    made = Selfcheck(revision="5.23.0", stack={}, ended_at=NOW, figures=(good, good))
    assert made.passed
    assert line(made) == "0 false alarms in 8 cells, 0 misses in 6 planted ones (5.23.0)"
    assert not replace(made, figures=(good, replace(good, misses=("a",)))).passed
    assert not replace(made, figures=(replace(good, false_alarms=("a",)),)).passed
