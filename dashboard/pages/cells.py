"""`/cells/{cell}`: one square of the matrix, its newest result and its history."""

import json
import re
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from harness.cells import Cell
from harness.errors import SelectionError
from harness.results import Result, Stage
from runner.core.bisect import Bisected
from runner.core.known import KnownCell
from runner.core.owner import Owner
from runner.core.runs import CellVerdict, Verdict
from runner.steps.explaining import explain_cell
from runner.steps.knowing import known_of
from runner.store import history, reads
from runner.store.attempts import attempts_at
from runner.store.bisects import bisects
from runner.store.engine import Engine

_MODEL_CODE = re.compile(r'^\s*File "[^"]*transformers/models/')


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBar:
    """How long a stage took, and its share of the whole."""

    stage: Stage
    seconds: float
    #: of 100, for a strip
    share: int
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """A line of a traceback; the model's own code is marked."""

    text: str
    model: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a cell was in an earlier run."""

    run: RunRow
    found: CellVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPage:
    """A cell in a run: what came of it, in detail, and its neighbours in time and in the matrix."""

    cell: Cell
    id: str
    run: RunRow
    found: CellVerdict
    #: whose the failure is; None where nothing failed
    owner: Owner | None
    #: where it broke, seen from this run; None where nothing failed
    last_good: RunRow | None
    first_bad: RunRow | None
    #: all attempts in this run, first to last
    attempts: tuple[Result, ...]
    stages: tuple[StageBar, ...]
    trace: tuple[TraceLine, ...]
    recipe: str
    history: tuple[Past, ...]
    #: the same model class on the other backends and variants
    siblings: tuple[CellVerdict, ...]
    #: what bisects found, newest first
    bisects: tuple[Bisected, ...]
    #: the known failure that tells of it in this run
    known: KnownCell | None


def cell_page(engine: Engine, cell: Cell, run_ref: str | None) -> CellPage:
    past = history.past(engine, cell)
    if not past:
        raise SelectionError(f"no run has the cell {cell.id}; see /runs for what was run")
    ran = [item for item in past if item[1].verdict is not Verdict.MISSING]
    run, found = (ran or past)[0]
    if run_ref is not None:
        run = reads.run(engine, run_ref)
        asked = reads.verdict(engine, run.id, cell)
        if asked is None:
            raise SelectionError(f"run {run.id} does not have the cell {cell.id}")
        found = asked
    attempts = attempts_at(engine, run.id, cell)
    failed = found.signature is not None
    turn = history.turn(engine, cell, until=run.id) if failed else history.NO_TURN
    told = next((item for item in attempts if item.signature == found.signature), None)
    return CellPage(
        cell=cell,
        id=cell.id,
        run=row(run),
        found=found,
        owner=explain_cell(engine, run, found) if failed else None,
        last_good=row(turn.last_good) if turn.last_good else None,
        first_bad=row(turn.first_bad) if turn.first_bad else None,
        attempts=tuple(attempts),
        stages=tuple(_bars(told)) if told else (),
        trace=tuple(trace_lines(told.traceback or "")) if told else (),
        recipe=json.dumps(dict(told.recipe), indent=1, default=str) if told else "{}",
        history=tuple(Past(run=row(then), found=item) for then, item in past),
        siblings=tuple(reads.siblings(engine, run.id, cell)),
        bisects=tuple(bisects(engine, cell)),
        known=known_of(run, [found]).cells.get(cell),
    )


def _bars(result: Result) -> list[StageBar]:
    total = result.duration_s or 1.0
    return [
        StageBar(
            stage=stage,
            seconds=result.durations_s[stage],
            share=round(100 * result.durations_s[stage] / total),
            stopped=stage is result.stage,
        )
        for stage in Stage
        if stage in result.durations_s
    ]


def trace_lines(text: str) -> list[TraceLine]:
    """The lines; a frame of the model's code takes its source line with it."""
    lines = text.splitlines()
    marked = [bool(_MODEL_CODE.match(line)) for line in lines]
    return [
        TraceLine(text=line, model=marked[number] or (number > 0 and marked[number - 1]))
        for number, line in enumerate(lines)
    ]


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/cells/{cell_id:path}.json")
    def cell_json(cell_id: str, run: str | None = None) -> CellPage:
        return cell_page(engine, Cell.parse(cell_id), run)

    @router.get("/cells/{cell_id:path}", include_in_schema=False)
    def cell_html(request: Request, cell_id: str, run: str | None = None) -> Response:
        page = cell_json(cell_id, run)
        return render(request, "cell.html", page, title=page.id)

    return router
