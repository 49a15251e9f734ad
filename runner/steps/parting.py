"""Plans a run for jobs of their own: what each is to run, as a matrix of GitHub Actions."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from runner.core.pull.events import Pull
from runner.durable import write_whole
from runner.steps.planfiles import write_plan
from runner.steps.plans import Plan
from runner.steps.pulls import planned
from runner.steps.scoping import Bench, chosen, prepared

#: a job takes a minute or two to begin: one that has less to do doesn't pay
_LEAST_S = 300.0


Parted = dict[str, object]


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


def part_pull(
    bench: Bench, pull: Pull, folder: Path, *, words: tuple[str, ...] = (), most: int
) -> Parted:
    """Write the plans of both sides into a folder; the matrix, and what the runs are called."""
    ready = prepared(bench, pull)
    cells = chosen(bench, ready, words)
    commits = ready.commits
    folder.mkdir(parents=True, exist_ok=True)
    told = {"number": pull.number, "run": commits.run, "head": commits.head, "base": commits.base}
    write_whole(folder / "pull.json", (json.dumps(told) + "\n").encode())
    if not cells.cells:
        return {"matrix": matrix([]), "cells": 0}
    plan = planned(bench, ready, cells)
    sides = (("base", plan.before, commits.base), ("head", plan.after, commits.run))
    made: list[Job] = []
    for name, side, commit in sides:
        write_plan(side, folder / f"{name}.json")
        made += jobs(side, name=name, commit=commit, most=most)
    return {
        "matrix": matrix(made),
        "cells": len(cells.cells),
        "baseline": plan.before.uid,
        "head": plan.after.uid,
        "commits": {"base": commits.base, "run": commits.run},
    }
