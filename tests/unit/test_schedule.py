"""Makespan against its lower bound."""

import pytest

from runner.core.schedule import measured


def test_a_perfect_schedule_of_two_workers_has_the_ratio_one() -> None:
    found = measured([(0, 4), (0, 2), (2, 4)], workers=2)
    assert found is not None
    assert (found.makespan_s, found.bound_s, found.ratio) == (4, 4, 1.0)


def test_no_schedule_can_be_shorter_than_the_longest_cell() -> None:
    found = measured([(0, 10), (0, 1)], workers=2)
    assert found is not None
    assert found.bound_s == 10


def test_idle_workers_show_in_the_ratio() -> None:
    found = measured([(0, 2), (2, 4)], workers=2)
    assert found is not None
    assert found.ratio == pytest.approx(2.0)


def test_nothing_executed_has_no_schedule() -> None:
    assert measured([], workers=2) is None
