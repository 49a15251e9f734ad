"""Plans a run for jobs of their own: what each is to run, as a matrix of GitHub Actions."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from runner.steps.plans import Plan

#: a job takes a minute or two to begin: one that has less to do doesn't pay
_LEAST_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job of the matrix: a share of a plan."""

    #: for people, and for the name of what it leaves
    name: str
    #: file of the plan
    plan: str
    #: I/N
    shard: str
    #: of the revision
    commit: str = ""


def jobs(plan: Plan, *, name: str, commit: str = "", most: int) -> list[Job]:
    """As many shares as pay."""
    if not plan.cells:
        return []
    seconds = sum(each.seconds for each in plan.expected.values())
    count = max(1, min(most, len(plan.cells), math.ceil(seconds / _LEAST_S)))
    return [
        Job(name=f"{name}-{number}", plan=f"{name}.json", shard=f"{number}/{count}", commit=commit)
        for number in range(1, count + 1)
    ]


def matrix(found: Iterable[Job]) -> dict[str, list[dict[str, str]]]:
    """As `strategy.matrix` takes it."""
    names = ("name", "plan", "shard", "commit")
    return {"include": [{each: getattr(job, each) for each in names} for job in found]}
