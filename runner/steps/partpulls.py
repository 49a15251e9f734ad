"""Plans a pull request for jobs of their own: both sides, as a matrix of GitHub Actions."""

import json
from pathlib import Path

from runner.core.pull.events import Pull
from runner.durable import write_whole
from runner.steps.parting import Job, jobs, matrix
from runner.steps.planfiles import write_plan
from runner.steps.pulls import planned
from runner.steps.scoping import Bench, chosen, prepared

Parted = dict[str, object]


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
