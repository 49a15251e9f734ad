"""The report of a stored run, and its renderings for people outside the dashboard."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from runner.core.amounts import seconds, size
from runner.core.report.made import COSTS, TOP, report
from runner.core.report.told import Report
from runner.core.runs import CellVerdict, Run
from runner.steps.baselines import baseline_of
from runner.steps.comparing import compare_runs
from runner.steps.knowing import known_in
from runner.store import reads
from runner.store.engine import Engine
from runner.store.moved import moved_or_apart

TEMPLATES = Path(__file__).parents[1] / "templates"


def report_of(  # noqa: PLR0913  (what a report is made of)
    engine: Engine,
    ref: str,
    *,
    baseline: str | None = None,
    alone: bool = False,
    lost_shards: Sequence[str] = (),
    notes: Sequence[str] = (),
    shared: bool = False,
) -> Report:
    """The report of a run; without a baseline against the one that `diff` takes, unless `alone`."""
    run = reads.run(engine, ref)
    usual = None if baseline or alone else baseline_of(engine, run)
    earlier = reads.run(engine, baseline) if baseline else usual and usual.run
    found = None
    if earlier:
        names = str(earlier.id), str(run.id)
        found = compare_runs(engine, *names, shared=shared, read=moved_or_apart)
    known = known_in(engine, run).known
    return report(run, _spoken_of(engine, run), known, found, lost_shards=lost_shards, notes=notes)


def _spoken_of(engine: Engine, run: Run) -> list[CellVerdict]:
    """The cells that don't pass, and those that cost most."""
    cells = reads.not_passed(engine, run.id)
    for column in COSTS:
        cells += reads.dearest(engine, run.id, column, limit=TOP)
    return list({each.cell: each for each in cells}.values())


def as_record(told: Report) -> dict[str, Any]:
    """What `report --format json` prints, and the page's JSON twin."""
    record: dict[str, Any] = json.loads(json.dumps(asdict(told), default=str))
    return record


def as_html(told: Report, *, root: str) -> str:
    """A page that stands alone; `root` is the dashboard's address, which its links lead to."""
    return _templates().get_template("report_alone.html").render(told=told, root=root)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(seconds=seconds, size=size)
    return made
