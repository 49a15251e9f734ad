"""What attempts left, whole: the only reads of `result`, for one run's cells or by its own key."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from harness.cells import Cell
from harness.results import Result
from runner.store.bulk import chunks
from runner.store.rows import Parts, whole
from runner.store.tables import cell as cells_
from runner.store.tables import failure_group
from runner.store.tables import result as results_
from runner.store.tables import run as runs_
from runner.store.tables import text as texts_

_detail, _stack, _trace, _log = (texts_.alias(name) for name in ("detail", "stack", "trace", "log"))

_RESULTS = (
    select(
        results_.c.run_id,
        results_.c.cell_id,
        results_.c.attempt,
        runs_.c.uid,
        runs_.c.stack.label("run_stack"),
        _stack.c.body.label("stack"),
        _detail.c.body.label("detail"),
        _trace.c.body.label("trace"),
        _log.c.body.label("log"),
        failure_group.c.signature,
        failure_group.c.title,
        failure_group.c.kind,
    )
    .join(runs_, runs_.c.id == results_.c.run_id)
    .join(_detail, _detail.c.digest == results_.c.detail)
    .outerjoin(_stack, _stack.c.digest == results_.c.stack)
    .outerjoin(_trace, _trace.c.digest == results_.c.traceback)
    .outerjoin(_log, _log.c.digest == results_.c.log)
    .outerjoin(failure_group, failure_group.c.id == results_.c.group_id)
)


def _result(row: Row[*tuple[Any, ...]]) -> Result:
    return whole(
        Parts(
            detail=row.detail,
            run=row.uid,
            stack=row.run_stack if row.stack is None else json.loads(row.stack),
            traceback=row.trace,
            log=row.log,
            signature=row.signature,
            title=row.title,
            kind=row.kind,
        )
    )


def attempts_at(engine: Engine, run_id: int, cell: Cell) -> list[Result]:
    """All attempts at a cell in a run, whole, first to last."""
    asked = (
        _RESULTS.join(cells_, cells_.c.id == results_.c.cell_id)
        .where(results_.c.run_id == run_id, cells_.c.cell == cell.id)
        .order_by(results_.c.attempt)
    )
    with engine.connect() as connection:
        return [_result(row) for row in connection.execute(asked)]


def attempts_of(
    connection: Connection, run_id: int, cell_ids: Sequence[int]
) -> list[tuple[int, Result]]:
    """(cell, attempt) for those cells of a run."""
    asked = _RESULTS.where(results_.c.run_id == run_id)
    return [
        (row.cell_id, _result(row))
        for part in chunks(cell_ids)
        for row in connection.execute(asked.where(results_.c.cell_id.in_(part)))
    ]


def attempts_in(engine: Engine, uid: str, cells: Sequence[Cell]) -> list[Result]:
    """All attempts at these cells in the run of that unique name."""
    asked = _RESULTS.join(cells_, cells_.c.id == results_.c.cell_id).where(runs_.c.uid == uid)
    with engine.connect() as connection:
        return [
            _result(row)
            for part in chunks([cell.id for cell in cells])
            for row in connection.execute(
                asked.where(cells_.c.cell.in_(part)).order_by(results_.c.attempt)
            )
        ]
