"""`/tables/{name}.csv` and `.parquet`: what the pages show, for other programs, streamed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from dashboard.parquet import as_parquet
from harness.cells import Cell
from harness.errors import SelectionError
from runner.core.query.reader import parse
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.tabular import Table, Value, as_csv
from runner.steps.comparing import compare_runs
from runner.steps.explaining import explain_groups
from runner.steps.querying import search
from runner.store import history, reads
from runner.store.engine import Engine

_AT_ONCE = 200
_PAST = 1000
_FLAKY = 1000


class Name(StrEnum):
    """Which table."""

    RUNS = "runs"
    CELLS = "cells"
    GROUPS = "groups"
    CHANGES = "changes"
    HISTORY = "history"
    FLAKY = "flaky"


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """What of a table is asked for."""

    run: Annotated[str, Query(description="Of `cells`, `groups`, `changes`: the run.")] = "latest"
    baseline: Annotated[
        str, Query(description="Of `changes`: the other run; empty: the one that is chosen.")
    ] = ""
    q: Annotated[str, Query(description="Of `cells`: a SELECT.")] = ""
    cell: Annotated[str, Query(description="Of `history`: the cell.")] = ""


_CELL: dict[str, type] = {
    "model_type": str, "model_class": str, "variant": str, "backend": str, "verdict": str,
    "stage": str, "kind": str, "owner": str, "signature": str, "title": str, "reason": str,
    "suspect": bool, "attempts": int, "duration_s": float, "cpu_s": float,
    "peak_rss_bytes": int, "planned_bytes": int, "max_abs_diff": float, "export_s": float,
    "graph_nodes": int, "carried_from": str,
}  # fmt: skip
_OF_CELL, _OF_VERDICT = attrgetter(*list(_CELL)[:4]), attrgetter(*list(_CELL)[4:])
_RUN: dict[str, type] = {
    "id": int, "uid": str, "revision": str, "branch": str, "selection": str, "started_at": datetime,
    "closed_at": datetime, "duration_s": float, "expected": int, "received": int, "complete": bool,
}  # fmt: skip


def table(engine: Engine, name: Name, which: Which) -> Table:
    """The table; `SelectionError` if it is of nothing that is there."""
    columns, rows = _TABLES[name](engine, which)
    return Table(name=name, columns=columns, rows=rows)


Made = tuple[dict[str, type], Iterable[Sequence[Value]]]


def _runs(engine: Engine, _which: Which) -> Made:
    counts = dict.fromkeys((verdict.value for verdict in Verdict), int)
    return {**_RUN, **counts}, _every_run(engine)


def _every_run(engine: Engine) -> Iterator[Sequence[Value]]:
    before: int | None = None
    while found := reads.runs(engine, limit=_AT_ONCE, before_id=before):
        before = found[-1].id
        yield from map(_run_row, found)


def _run_row(run: Run) -> Sequence[Value]:
    counts = (run.verdicts.get(verdict, 0) for verdict in Verdict)
    return (*(getattr(run, name) for name in _RUN), *counts)


def _cells(engine: Engine, which: Which) -> Made:
    run = reads.run(engine, which.run)
    found: Sequence[CellVerdict] = reads.verdicts(engine, run.id)
    if which.q.strip():
        found = search(engine, run, found, parse(which.q))
    return _CELL, map(_cell_row, found)


def _cell_row(found: CellVerdict) -> Sequence[Value]:
    return (*_OF_CELL(found.cell), *_OF_VERDICT(found))


def _groups(engine: Engine, which: Which) -> Made:
    run = reads.run(engine, which.run)
    groups, _ = explain_groups(engine, run, reads.outcomes(engine, run.id))
    columns: dict[str, type] = {
        "signature": str, "title": str, "kind": str, "stage": str, "owner": str, "evidence": str,
        "cells": int, "unlocks": int,
    }  # fmt: skip
    return columns, ([getattr(each, name) for name in columns] for each in groups)


def _changes(engine: Engine, which: Which) -> Made:
    found = compare_runs(engine, which.baseline or None, which.run)
    columns: dict[str, type] = {
        "cell": str, "change": str, "before": str, "after": str, "signature": str, "title": str,
        "reason": str,
    }  # fmt: skip
    rows = (
        (
            item.cell.id,
            item.change,
            item.before.verdict if item.before else None,
            item.after.verdict if item.after else None,
            item.group.signature if item.group else None,
            item.group.title if item.group else None,
            item.reason,
        )
        for item in found.cells
    )
    return columns, rows


def _history(engine: Engine, which: Which) -> Made:
    cell = Cell.parse(which.cell)
    past = history.past(engine, cell, limit=_PAST)
    if not past:
        raise SelectionError(f"no run has the cell {cell.id}; see /runs for what was run")
    columns = {"run": int, "revision": str, "started_at": datetime, **_CELL}
    return columns, (
        (run.id, run.revision, run.started_at, *_cell_row(found)) for run, found in past
    )


def _flaky(engine: Engine, _which: Which) -> Made:
    columns: dict[str, type] = {"cell": str, "flips": int, "considered": int, "percent": float}
    found = history.flakiest(engine, limit=_FLAKY)
    return columns, ((cell.id, each.flips, each.considered, each.percent) for cell, each in found)


_TABLES: dict[Name, Callable[[Engine, Which], Made]] = {
    Name.RUNS: _runs,
    Name.CELLS: _cells,
    Name.GROUPS: _groups,
    Name.CHANGES: _changes,
    Name.HISTORY: _history,
    Name.FLAKY: _flaky,
}


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(prefix="/tables")

    @router.get("/{name}.csv", response_class=Response, responses=_of("text/csv"))
    def table_csv(name: Name, which: Annotated[Which, Depends()]) -> Response:
        """A table as CSV; texts that spreadsheets would take for formulas begin with `'`."""
        found = table(engine, name, which)
        return _sent(as_csv(found), "text/csv; charset=utf-8", f"{name}.csv")

    @router.get("/{name}.parquet", response_class=Response, responses=_of(_PARQUET))
    def table_parquet(name: Name, which: Annotated[Which, Depends()]) -> Response:
        """A table as Parquet, where pyarrow is installed."""
        found = table(engine, name, which)
        return _sent(as_parquet(found), _PARQUET, f"{name}.parquet")

    return router


_PARQUET = "application/vnd.apache.parquet"


def _of(media: str) -> dict[int | str, dict[str, object]]:
    return {200: {"content": {media: {"schema": {"type": "string"}}}}}


def _sent(parts: Iterable[str] | Iterable[bytes], media: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type=media, headers=headers)
