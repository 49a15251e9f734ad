"""Which run a head is compared with, and how that is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runner.core.baseline import Ancestry, choose
from runner.core.runs import Run, Verdict

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LINE = Ancestry(onto="main", names=[f"{letter}" * 12 for letter in "abcd"])


def _run(
    number: int, at: str, *, selection: str = "all", expected: int = 5, complete: bool = True
) -> Run:
    return Run(
        id=number,
        uid=f"r{number}",
        revision=at * 12,
        stack={},
        selection=selection,
        started_at=NOW,
        closed_at=NOW if complete else None,
        expected=expected,
        verdicts={Verdict.PASS: expected if complete else 1},
    )


HEAD = _run(9, "h")


@pytest.mark.parametrize(
    ("runs", "number", "why"),
    [
        ([_run(1, "a"), _run(2, "b")], 1, "the merge base with main"),
        ([_run(1, "a"), _run(2, "a")], 2, "the merge base with main"),
        ([_run(1, "d"), _run(2, "b")], 2, "1 commit before the merge base with main"),
        ([_run(1, "d"), _run(2, "x")], 1, "3 commits before the merge base"),
        ([_run(1, "c"), _run(2, "a", complete=False)], 1, "2 commits before"),
        ([_run(1, "c"), _run(2, "a", expected=2)], 1, "2 commits before"),
        ([_run(1, "c"), _run(2, "a", selection="x")], 1, "2 commits before"),
        ([_run(2, "a", selection="x"), _run(3, "y")], 2, "it was asked for 'x'"),
        ([_run(12, "a"), _run(3, "y")], 12, "the merge base"),
        ([_run(1, "x"), _run(2, "y")], 2, "the last complete one of this selection before it; no"),
        ([_run(1, "x"), _run(2, "h")], 1, "no run at its merge base with main or before it"),
    ],
)
def test_the_baseline_is_the_nearest_complete_run(
    runs: Sequence[Run], number: int, why: str
) -> None:
    found = choose(HEAD, [*runs, HEAD], LINE)
    assert found is not None
    assert found.run.id == number
    assert found.why.startswith(f"run {number} at {found.run.revision}, ")
    assert why in found.why


def test_a_commit_of_the_main_branch_is_compared_with_those_before_it() -> None:
    found = choose(HEAD, [_run(1, "b")], replace(LINE, itself=True))
    assert found is not None
    assert found.why == "run 1 at bbbbbbbbbbbb, 2 commits before it on main"


def test_without_git_it_is_the_last_complete_one_of_the_selection() -> None:
    found = choose(
        HEAD, [_run(1, "x"), _run(2, "y", selection="z"), _run(3, "y", complete=False)], None
    )
    assert found is not None
    assert found.run.id == 1
    assert found.why.endswith("the last complete one of this selection before it")


def test_without_git_the_last_one_of_its_branch_comes_before_a_later_one_of_another() -> None:
    runs = [replace(_run(1, "x"), branch="main"), replace(_run(2, "y"), branch="other")]
    found = choose(replace(HEAD, branch="main"), runs, None)
    assert found is not None
    assert found.run.id == 1
    assert found.why.endswith("the last complete one of this selection on main before it")


def test_a_later_run_is_no_nightly_before_it_and_nothing_is_chosen_from_nothing() -> None:
    assert choose(HEAD, [_run(10, "x"), _run(8, "h"), HEAD], None) is None
