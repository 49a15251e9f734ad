"""Who works, on what, and what waits: shares of runs, the queue, projects that send results."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from runner.core.runs import Progress
from runner.store.reads import utc
from runner.store.tables import run as runs_
from runner.store.tables import work


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one machine does of a run, as it last told."""

    run_id: int
    revision: str
    #: the machine's own name for it
    name: str
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A piece of queued work."""

    id: int
    kind: str
    key: str
    state: str
    queued_at: datetime
    tries: int
    taken_by: str | None
    leased_until: datetime | None
    error: str | None


def shares(engine: Engine, *, last: int) -> list[Share]:
    """The shares of those of the last runs that have not closed, the newest run first."""
    newest = select(runs_.c.id).order_by(runs_.c.id.desc()).limit(last)
    asked = (
        select(runs_.c.id, runs_.c.revision, runs_.c.progress)
        .where(runs_.c.id.in_(newest), runs_.c.closed_at.is_(None))
        .order_by(runs_.c.id.desc())
    )
    with engine.connect() as connection:
        return [
            Share(
                run_id=row.id, revision=row.revision, name=name, progress=Progress.from_record(told)
            )
            for row in connection.execute(asked)
            for name, told in (row.progress or {}).items()
        ]


def queue_counts(engine: Engine) -> Mapping[str, int]:
    """state -> pieces of work, of those that nobody has ended yet."""
    open_ones = work.c.state.in_(("queued", "taken"))
    asked = select(work.c.state, func.count()).where(open_ones).group_by(work.c.state)
    with engine.connect() as connection:
        return dict(connection.execute(asked).all())


def pieces(engine: Engine, *, limit: int) -> list[Piece]:
    """The newest pieces of work, newest first."""
    asked = select(work).order_by(work.c.id.desc()).limit(limit)
    with engine.connect() as connection:
        return [
            Piece(
                id=row.id,
                kind=row.kind,
                key=row.key,
                state=row.state,
                queued_at=utc(row.queued_at),
                tries=row.tries,
                taken_by=row.taken_by,
                leased_until=row.leased_until and utc(row.leased_until),
                error=row.error,
            )
            for row in connection.execute(asked)
        ]
