"""How healthy the newest complete run of a line is.

- A *line* is what is run again and again to be compared, each time over the same selection: the
  nights of a branch on one stack, releases, or commits of a branch with the same torch. Runs of
  pull requests are of none.
- A rate is n of N: N are all cells but skips. Errors of ours and missing results count as not
  passing, so that nothing is made better by leaving it out.
- A line of nights whose last complete run is older than a day and two hours is late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from packaging.version import InvalidVersion, Version

from runner.core.nights import Night
from runner.core.runs import Run, Verdict

_LATE = timedelta(hours=26)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many pass, of how many that were not skipped."""

    passed: int
    ran: int
    skipped: int

    @property
    def percent(self) -> float | None:
        """None where nothing could run."""
        return 100 * self.passed / self.ran if self.ran else None


def rate_of(counts: Mapping[Verdict, int]) -> Rate:
    """The rate of these cells."""
    skipped = counts.get(Verdict.SKIP, 0)
    return Rate(
        passed=counts.get(Verdict.PASS, 0), ran=sum(counts.values()) - skipped, skipped=skipped
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Which line."""

    name: str
    selection: str


def line_of(run: Run) -> Line | None:
    """The line that a run is of; None of a run of a pull request."""
    return None if run.of_pulls else Line(name=_name(run), selection=run.selection)


def _name(run: Run) -> str:
    of = f" of {run.branch}" if run.branch else ""
    if night := Night.of(run):
        return f"nightly{of}, {night.stack}"
    torch = run.stack.get("torch", "an unknown version")
    return f"{'releases' if _is_release(run.revision) else 'commits'}{of}, torch {torch}"


def _is_release(revision: str) -> bool:
    try:
        return bool(Version(revision).release) and "." in revision
    except InvalidVersion:
        return False


def is_late(run: Run, now: datetime) -> bool:
    """Whether the line of nights that this run is the last complete one of waits for the next."""
    return Night.of(run) is not None and now - (run.closed_at or run.started_at) > _LATE


#: how long a failure group has been there: the band's name -> at most so old
AGES: Mapping[str, timedelta | None] = {
    "new in this run": timedelta(0),
    "less than a day": timedelta(days=1),
    "less than a week": timedelta(days=7),
    "less than a month": timedelta(days=30),
    "older": None,
}


def age_of(first_seen: datetime, run_started: datetime) -> str:
    """The band of a group that was first seen in a run that began then, seen from this run."""
    age = run_started - first_seen
    return next(name for name, limit in AGES.items() if limit is None or age <= limit)
