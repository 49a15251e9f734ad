"""How a run goes, from its results and a clock that the tests hold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from harness.cells import Cell
from harness.isolation.messages import Started
from harness.results import Outcome, Result, Stage
from runner.core.progress import (
    State,
    in_a_line,
    roughly,
    state_of,
    together,
)
from runner.core.runs import Progress, Verdict
from runner.core.watch import Watch

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
CELLS = [Cell.parse(f"toy/Toy{number}/forward-static/toy") for number in range(10)]


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def watch(planned_s: float = 10.0, cells: int = 10) -> Watch:
    return Watch(planned=dict.fromkeys(CELLS[:cells], planned_s))


def result(
    number: int, outcome: Outcome = Outcome.PASS, *, seconds: float = 10.0, attempt: int = 1
) -> Result:
    return Result(
        cell=CELLS[number], outcome=outcome, attempt=attempt, durations_s={"capture": seconds}
    )


def running(number: int, *, since: float, attempt: int = 1) -> Started:
    return Started(
        cell=CELLS[number],
        attempt=attempt,
        stage=Stage.LOWER,
        since=START.timestamp() + since,
    )


def end(watched: Watch, found: Result, seconds: float) -> None:
    watched.ended(found, at=START.timestamp() + seconds)


def test_nothing_is_said_of_the_speed_before_a_cell_was_executed() -> None:
    told = watch().at(after(30), [running(0, since=0)])
    assert (told.done, told.expected) == (0, 10)
    assert told.per_minute is None
    assert told.eta_s is None


def test_cells_that_take_what_was_planned_are_done_when_the_plan_says() -> None:
    watched = watch()
    end(watched, result(0), 10)
    told = watched.at(after(10))
    assert told.eta_s == pytest.approx(90)
    assert told.per_minute == pytest.approx(6)


def test_cells_that_take_twice_as_long_as_planned_double_what_is_left() -> None:
    watched = watch()
    end(watched, result(0, seconds=20), 20)
    assert watched.at(after(20)).eta_s == pytest.approx(180)


def test_two_workers_halve_what_is_left() -> None:
    watched = watch()
    end(watched, result(0), 10)
    told = watched.at(after(10), [running(1, since=0)])
    assert told.eta_s == pytest.approx(40)


def test_a_long_cell_that_is_left_holds_the_end_up_however_many_workers_there_are() -> None:
    watched = Watch(planned=dict.fromkeys(CELLS[:8], 10.0) | {CELLS[8]: 300.0})
    for number in range(8):
        end(watched, result(number), 10)
    told = watched.at(after(10), [running(8, since=0)])
    assert told.eta_s == pytest.approx(290)


def test_a_second_attempt_changes_the_verdict_and_is_not_counted_twice() -> None:
    watched = watch()
    end(watched, result(0, Outcome.CRASH), 10)
    assert watched.at(after(10)).verdicts == {Verdict.CRASH: 1}
    end(watched, result(0, attempt=2), 30)
    told = watched.at(after(30))
    assert told.done == 1
    assert told.verdicts == {Verdict.FLAKY: 1}


def test_a_suspect_is_waited_for_once_more_and_alone() -> None:
    watched = watch(cells=1)
    end(watched, result(0, Outcome.TIMEOUT, seconds=60), 60)
    assert watched.at(after(60)).eta_s == pytest.approx(60)
    told = watched.at(after(80), [running(0, since=60, attempt=2)])
    assert told.eta_s == pytest.approx(40)
    end(watched, result(0, Outcome.TIMEOUT, seconds=60, attempt=2), 120)
    assert watched.at(after(120)).eta_s == 0


@pytest.mark.parametrize(
    "found",
    [result(0).replace(carried_from="earlier"), result(0, Outcome.SKIP)],
    ids=["carried over", "skipped"],
)
def test_what_was_not_executed_is_done_and_says_nothing_of_the_speed(found: Result) -> None:
    watched = watch()
    end(watched, found, 1)
    told = watched.at(after(1))
    assert told.done == 1
    assert told.eta_s is None
    assert told.per_minute is None


def test_a_resumed_run_begins_with_what_is_done() -> None:
    watched = watch()
    for number in range(9):
        watched.ended(result(number), at=None)
    told = watched.at(after(0))
    assert told.done == 9
    assert told.eta_s is None
    end(watched, result(9), 5000)
    assert watched.at(after(5000)).per_minute == pytest.approx(6)


def test_the_throughput_is_that_of_the_last_minutes() -> None:
    watched = watch()
    for number in range(5):
        end(watched, result(number, seconds=1), number)
    end(watched, result(5, seconds=1), 1000)
    assert watched.at(after(1000)).per_minute == pytest.approx(1 / 5)


def test_the_slowest_cells_come_first_and_one_that_has_ended_is_not_running() -> None:
    watched = watch()
    end(watched, result(0), 10)
    told = watched.at(after(20), [running(0, since=0), running(1, since=12), running(2, since=5)])
    assert [each.cell for each in told.running] == [CELLS[2].id, CELLS[1].id]
    assert told.running[0].seconds == pytest.approx(15)
    assert told.running[0].stage is Stage.LOWER


def test_a_result_of_a_cell_that_is_not_planned_here_is_not_counted() -> None:
    watched = watch(cells=1)
    end(watched, result(5), 10)
    assert watched.at(after(10)).done == 0


def share(done: int, *, at: float, eta_s: float | None = 60.0, going: bool = True) -> Progress:
    return Progress(
        done=done,
        expected=10,
        verdicts={Verdict.PASS: done},
        per_minute=2.0,
        eta_s=eta_s,
        at=after(at),
        going=going,
    )


def test_machines_are_as_fast_as_all_of_them_and_end_with_the_last() -> None:
    told = together([share(3, at=0, eta_s=60), share(4, at=5, eta_s=90)], after(10))
    assert told is not None
    assert (told.done, told.expected, told.per_minute, told.eta_s) == (7, 20, 4.0, 90)
    assert told.verdicts == {Verdict.PASS: 7}


def test_a_silent_machine_counts_what_it_did_and_no_longer_hastens_the_run() -> None:
    told = together([share(3, at=0), share(4, at=595)], after(600))
    assert told is not None
    assert (told.done, told.per_minute) == (7, 2.0)


@pytest.mark.parametrize(
    ("shares", "closed", "expected"),
    [
        ([share(3, at=590)], False, State.RUNNING),
        ([share(3, at=590)], True, State.RUNNING),
        ([share(3, at=0), share(3, at=590)], False, State.RUNNING),
        ([share(3, at=0)], False, State.STOPPED),
        ([share(3, at=595, going=False)], False, State.STOPPED),
        ([], True, State.CLOSED),
        ([share(3, at=0)], True, State.CLOSED),
        ([], False, State.OPEN),
    ],
)
def test_a_run_goes_on_while_some_machine_says_so(
    shares: Sequence[Progress], closed: bool, expected: State
) -> None:
    assert state_of(shares, closed=closed, now=after(600)) is expected


def test_it_comes_back_whole_from_what_is_stored() -> None:
    watched = watch()
    end(watched, result(0, Outcome.FAIL), 10)
    told = watched.at(after(12), [running(1, since=2)])
    assert Progress.from_record(told.to_record()) == told


def test_a_line_tells_what_is_known_and_no_more() -> None:
    watched = watch()
    assert in_a_line(watched.at(after(0))) == "0/10 cells"
    end(watched, result(0), 10)
    line = in_a_line(watched.at(after(10), [running(1, since=0)]))
    assert line == (
        "1/10 cells; 1 pass; 6.0 cells a minute, about 40 s left; "
        "slowest now toy/Toy1/forward-static/toy (lower, 10 s)"
    )


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.4, "0 s"), (59.4, "59 s"), (90, "2 min"), (11_100, "3 h 05 min")]
)
def test_a_long_time_is_told_roughly(seconds: float, told: str) -> None:
    assert roughly(seconds) == told
