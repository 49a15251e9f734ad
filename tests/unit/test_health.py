"""Lines of runs, rates with honest denominators, lateness and ages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner.core.health import age_of, is_late, line_of, rate_of
from runner.core.runs import Run, Verdict

NOW = datetime(2026, 11, 25, 18, tzinfo=UTC)


def _run(uid: str, revision: str = "5.23.0", selection: str = "all", hours_ago: float = 1) -> Run:
    closed = NOW - timedelta(hours=hours_ago)
    return Run(
        id=1,
        uid=uid,
        revision=revision,
        stack={"torch": "2.13.0"},
        selection=selection,
        started_at=closed - timedelta(hours=3),
        closed_at=closed,
    )


NIGHT = "nightly--torch-nightly--2026-11-24--5.23.0"


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (_run(NIGHT), "nightly, torch-nightly"),
        (replace(_run(NIGHT), branch="main"), "nightly of main, torch-nightly"),
        (replace(_run("a", revision="decba1d2ea00"), branch="v5"), "commits of v5, torch 2.13.0"),
        (_run("a"), "releases, torch 2.13.0"),
        (_run("a", revision="decba1d2ea00"), "commits, torch 2.13.0"),
        (_run("a", selection="of pull requests: a"), None),
    ],
)
def test_a_run_is_of_a_line_unless_it_is_of_a_pull_request(run: Run, line: str | None) -> None:
    found = line_of(run)
    assert (found and found.name) == line


def test_runs_of_different_selections_are_of_different_lines() -> None:
    assert line_of(_run("a")) == line_of(_run("b", revision="5.22.0"))
    assert line_of(_run("a")) != line_of(_run("b", selection="popular"))


def test_errors_and_missing_results_stay_in_the_denominator_and_skips_apart() -> None:
    rate = rate_of(
        {Verdict.PASS: 6, Verdict.SKIP: 4, Verdict.ERROR: 1, Verdict.MISSING: 2, Verdict.FAIL: 1}
    )
    assert (rate.passed, rate.ran, rate.skipped, rate.percent) == (6, 10, 4, 60.0)
    assert rate_of({Verdict.SKIP: 3}).percent is None


def test_a_night_is_late_after_26_hours_and_other_lines_never() -> None:
    assert is_late(_run(NIGHT, hours_ago=31), NOW)
    assert not is_late(_run(NIGHT, hours_ago=25), NOW)
    assert not is_late(_run("a", hours_ago=900), NOW)


@pytest.mark.parametrize(
    ("days", "band"),
    [(0, "new in this run"), (0.5, "less than a day"), (6, "less than a week"), (31, "older")],
)
def test_a_group_is_as_old_as_the_first_run_it_was_seen_in(days: float, band: str) -> None:
    assert age_of(NOW - timedelta(days=days), NOW) == band
