"""Executions that confirm losses: each belongs to a run, and to none of its verdicts."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, select

from harness.cells import Cell
from harness.results import Result, jsonable
from runner.core.label import label
from runner.core.plain import storable
from runner.store.bulk import chunks, ids, insert_new
from runner.store.rows import Parts, detail, digest, whole
from runner.store.tables import cell as cells_
from runner.store.tables import rerun as reruns_
from runner.store.tables import run as runs_
from runner.store.tables import text as texts_

_detail, _stack, _trace, _log = (texts_.alias(name) for name in ("detail", "stack", "trace", "log"))
_RERUNS = (
    select(
        cells_.c.cell,
        runs_.c.uid,
        _detail.c.body.label("detail"),
        _stack.c.body.label("stack"),
        _trace.c.body.label("trace"),
        _log.c.body.label("log"),
    )
    .select_from(reruns_)
    .join(cells_, cells_.c.id == reruns_.c.cell_id)
    .join(runs_, runs_.c.id == reruns_.c.run_id)
    .join(_detail, _detail.c.digest == reruns_.c.detail)
    .join(_stack, _stack.c.digest == reruns_.c.stack)
    .outerjoin(_trace, _trace.c.digest == reruns_.c.traceback)
    .outerjoin(_log, _log.c.digest == reruns_.c.log)
)


def note_reruns(engine: Engine, run_id: int, results: Iterable[Result]) -> None:
    """Keep executions of a run's cells; those that are there already change nothing."""
    found = [each.replace(recipe=jsonable(each.recipe)) for each in results]
    if not found:
        return
    now, bodies = datetime.now(UTC), dict[str, str]()

    def text(body: str | None) -> str | None:
        if not body:
            return None
        kept = storable(body)
        bodies[key := digest(kept)] = kept
        return key

    rows = [
        {
            "run_id": run_id,
            "attempt": each.attempt,
            "outcome": each.outcome.value,
            "executed_at": now,
            "detail": text(detail(each)),
            "stack": text(json.dumps(dict(each.stack))),
            "traceback": text(each.traceback),
            "log": text(each.log_tail),
        }
        for each in found
    ]
    names = sorted({each.cell.id for each in found})
    with engine.begin() as connection:
        # Who prunes runs takes them alone; it must not remove texts that are about to be named.
        shared = select(runs_.c.id).where(runs_.c.id == run_id).with_for_update(read=True)
        if connection.scalar(shared) is None:
            return
        insert_new(connection, cells_, [{"cell": name} for name in names])
        known = ids(connection, cells_, "cell", names)
        texts = [{"digest": key, "body": bodies[key]} for key in sorted(bodies)]
        insert_new(connection, texts_, texts)
        for row, each in zip(rows, found, strict=True):
            row["cell_id"] = known[each.cell.id]
        insert_new(connection, reruns_, sorted(rows, key=_key))


def _key(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["cell_id"], row["attempt"]


def reruns(engine: Engine, run_id: int, cells: Collection[Cell]) -> dict[Cell, list[Result]]:
    """The executions of those cells of a run, each labelled by today's rules, newest first."""
    asked = _RERUNS.where(reruns_.c.run_id == run_id)
    newest = asked.order_by(reruns_.c.executed_at.desc(), reruns_.c.attempt.desc())
    found: dict[Cell, list[Result]] = defaultdict(list)
    with engine.connect() as connection:
        for part in chunks(sorted(cell.id for cell in cells)):
            for row in connection.execute(newest.where(cells_.c.cell.in_(part))):
                found[Cell.parse(row.cell)].append(_result(row))
    return found


def _result(row: Row[*tuple[Any, ...]]) -> Result:
    kept = whole(
        Parts(
            detail=row.detail,
            run=row.uid,
            stack=json.loads(row.stack),
            traceback=row.trace,
            log=row.log,
            signature=None,
            title=None,
            kind=None,
        )
    )
    return label(kept)
