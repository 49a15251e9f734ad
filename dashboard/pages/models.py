"""`/models/{type}`: a model type over the last runs, and whether and how it can be exported."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from fastapi import APIRouter, Request, Response

from dashboard.charts import Chart, Line, over_runs
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from harness.cells import Cell
from harness.errors import SelectionError, nearest
from runner.core.answers import Answer, Way, way
from runner.core.families import family_of
from runner.core.runs import Run, Verdict
from runner.core.usage import export_code
from runner.store import reads
from runner.store.engine import Engine
from runner.store.modalities import modalities_of
from runner.store.models import LAST, Then, over_time

_BEST = (Answer.YES, Answer.PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOverTime:
    """A cell in the last runs, oldest first, and what it measured last."""

    cell: Cell
    id: str
    last: Then
    past: tuple[Then, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """How to export it, by the first class that passes."""

    cell: Cell
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """A model type."""

    model_type: str
    family: str
    modality: str
    #: the newest run that has a result of it
    run: RunRow
    passed: int
    ran: int
    ways: tuple[Way, ...]
    codes: tuple[Code, ...]
    #: class -> its cells
    classes: Mapping[str, tuple[CellOverTime, ...]]
    runs: Mapping[int, RunRow]
    export_time: Chart
    #: how many runs were looked at
    looked_at: int


def model_page(engine: Engine, model_type: str) -> ModelPage:
    runs, cells = over_time(engine, model_type)
    if not cells:
        raise SelectionError(_unknown(engine, model_type))
    by_id = {run.id: run for run in runs}
    newest = by_id[max(_told(past).run_id for past in cells.values())]
    modality = modalities_of(engine).get(model_type, "not known")
    now = [each.verdict for past in cells.values() for each in past if each.run_id == newest.id]
    ways = _ways(cells, runs)
    classes: dict[str, list[CellOverTime]] = defaultdict(list)
    for cell, past in cells.items():
        told = CellOverTime(cell=cell, id=cell.id, last=_told(past), past=tuple(past))
        classes[cell.model_class].append(told)
    seen = {then.run_id for past in cells.values() for then in past}
    return ModelPage(
        model_type=model_type,
        family=family_of(model_type),
        modality=modality,
        run=row(newest),
        passed=now.count(Verdict.PASS),
        ran=len(now) - now.count(Verdict.SKIP),
        ways=ways,
        codes=tuple(_codes(ways, modality)),
        classes={name: tuple(found) for name, found in sorted(classes.items())},
        runs={run.id: row(run) for run in runs if run.id in seen},
        export_time=_export_time(cells, [run for run in runs if run.id in seen]),
        looked_at=LAST,
    )


def _told(past: Sequence[Then]) -> Then:
    """The newest that has a result, if any has."""
    there = (then for then in reversed(past) if then.verdict is not Verdict.MISSING)
    return next(there, past[-1])


def _unknown(engine: Engine, model_type: str) -> str:
    newest = reads.runs(engine, limit=1)
    spots = reads.spots(engine, newest[0].id) if newest else []
    known = {spot.cell.model_type for spot in spots}
    hint = nearest(model_type, known)
    return f"no model type {model_type!r} in the last {LAST} runs{hint}; see /matrix"


def _ways(cells: Mapping[Cell, Sequence[Then]], runs: Sequence[Run]) -> tuple[Way, ...]:
    told: dict[tuple[str, str], dict[Cell, list[tuple[int, Verdict, float | None]]]]
    told = defaultdict(dict)
    for cell, past in cells.items():
        said = [(then.run_id, then.verdict, then.max_abs_diff) for then in past]
        told[cell.backend, cell.variant][cell] = said
    oldest = runs[0].id if runs else None
    return tuple(way(*place, told[place], oldest=oldest) for place in sorted(told))


def _codes(ways: Sequence[Way], modality: str) -> list[Code]:
    """One a backend: dynamic shapes before static ones, a forward before a generation."""
    best: dict[str, Way] = {}
    for each in ways:
        if each.example and each.answer in _BEST:
            known = best.get(each.backend)
            best[each.backend] = max(known, each, key=_rank) if known else each
    found = []
    for each in best.values():
        text = export_code(each.example, modality) if each.example else None
        if text and each.example:
            found.append(Code(cell=each.example, text=text))
    return found


def _rank(each: Way) -> tuple[bool, bool, bool]:
    dynamic = each.variant.endswith("-dynamic")
    return each.answer is Answer.YES, each.variant.startswith("forward"), dynamic


def _export_time(cells: Mapping[Cell, Sequence[Then]], runs: Sequence[Run]) -> Chart:
    """The median over the cells that pass, by backend."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell, past in cells.items():
        for then in past:
            if then.verdict is Verdict.PASS and then.export_s is not None:
                values[cell.backend][then.run_id].append(then.export_s)
    lines = (
        Line(
            name=backend,
            values=tuple(
                round(median(found[run.id]), 3) if run.id in found else None for run in runs
            ),
        )
        for backend, found in sorted(values.items())
    )
    title = "Seconds to export, median of the cells that pass"
    return over_runs(runs, lines, id="export-time", title=title, unit="s")


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/models/{model_type}.json")
    def model_json(model_type: str) -> ModelPage:
        return model_page(engine, model_type)

    @router.get("/models/{model_type}", include_in_schema=False)
    def model_html(request: Request, model_type: str) -> Response:
        page = model_page(engine, model_type)
        return render(request, "model.html", page, title=model_type)

    return router
