"""Bisects that have ended: the first revision at which a cell was found to be bad."""

from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select

from harness.cells import Cell
from runner.core.bisect import Bisected
from runner.store.bulk import ids, insert_new
from runner.store.reads import utc
from runner.store.tables import bisect as bisects_
from runner.store.tables import cell as cells_


def note_bisect(engine: Engine, found: Bisected) -> None:
    """Keep what a bisect found; between the same ends on the same stack the last one counts."""
    with engine.begin() as connection:
        insert_new(connection, cells_, [{"cell": found.cell.id}])
        cell_id = ids(connection, cells_, "cell", [found.cell.id])[found.cell.id]
        # Two that end at once come one after the other.
        connection.execute(select(cells_.c.id).where(cells_.c.id == cell_id).with_for_update())
        same_ends = select(bisects_).where(
            bisects_.c.cell_id == cell_id,
            bisects_.c.good == found.good,
            bisects_.c.bad == found.bad,
        )
        rows = connection.execute(same_ends).all()
        before = [row for row in rows if row.stack == dict(found.stack)]
        said = [
            {"name": name, "told": told} for name, told in zip(found.names, found.told, strict=True)
        ]
        if any(row.found == said and row.title == found.title for row in before):
            return
        connection.execute(delete(bisects_).where(bisects_.c.id.in_([row.id for row in before])))
        values = {
            "cell_id": cell_id,
            "good": found.good,
            "bad": found.bad,
            "stack": dict(found.stack),
            "found": said,
            "title": found.title,
            "ended_at": found.ended_at,
        }
        connection.execute(insert(bisects_).values(**values))


def bisects(engine: Engine, cell: Cell) -> list[Bisected]:
    """What bisects of a cell found, newest first."""
    asked = (
        select(bisects_)
        .join(cells_, cells_.c.id == bisects_.c.cell_id)
        .where(cells_.c.cell == cell.id)
        .order_by(bisects_.c.ended_at.desc(), bisects_.c.id.desc())
    )
    with engine.connect() as connection:
        return [_bisected(cell, row) for row in connection.execute(asked)]


def _bisected(cell: Cell, row: Row[Any]) -> Bisected:
    return Bisected(
        cell=cell,
        good=row.good,
        bad=row.bad,
        stack=row.stack,
        names=tuple(each["name"] for each in row.found),
        told=tuple(each["told"] for each in row.found),
        title=row.title,
        ended_at=utc(row.ended_at),
    )
