"""Selfchecks that have ended: the measured rates of false alarms and misses."""

from sqlalchemy import Engine, Row, insert, select

from runner.core.selfcheck import Figure, Selfcheck
from runner.store.reads import utc
from runner.store.tables import selfcheck as selfchecks_


def note_selfcheck(engine: Engine, found: Selfcheck) -> None:
    """Keep what a selfcheck came to."""
    values = {
        "revision": found.revision,
        "stack": dict(found.stack),
        "ended_at": found.ended_at,
        "figures": found.to_record()["figures"],
    }
    with engine.begin() as connection:
        connection.execute(insert(selfchecks_).values(**values))


def selfchecks(engine: Engine, *, limit: int = 20) -> list[Selfcheck]:
    """The last selfchecks, newest first."""
    newest = select(selfchecks_).order_by(selfchecks_.c.id.desc()).limit(limit)
    with engine.connect() as connection:
        return [_selfcheck(row) for row in connection.execute(newest)]


def _selfcheck(row: Row[tuple[object, ...]]) -> Selfcheck:
    figures = (
        Figure(
            **each | {"false_alarms": tuple(each["false_alarms"]), "misses": tuple(each["misses"])}
        )
        for each in row.figures
    )
    return Selfcheck(
        revision=row.revision, stack=row.stack, ended_at=utc(row.ended_at), figures=tuple(figures)
    )
