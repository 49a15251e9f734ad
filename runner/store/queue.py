"""Queued work: taken by one worker at a time, in order, and again if that one dies.

- A worker has a piece of work until its lease ends, and renews it while it lives. What ended
  without being renewed is taken by the next who asks. Only who has it can end it.
- Work of one key is done one after the other: an index lets only one of a key be taken.
- On PostgreSQL those who ask at once pass over what another is just taking; SQLite has one writer.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from runner.store.reads import utc
from runner.store.tables import work

LEASE = timedelta(minutes=2)
#: after so many, a piece of work has failed
TRIES = 5
_QUEUED, _TAKEN = "queued", "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A piece of work."""

    id: int
    kind: str
    key: str
    payload: Mapping[str, Any]
    state: str
    queued_at: datetime
    #: how often it was taken
    tries: int
    taken_by: str | None = None
    error: str | None = None
    author: str | None = None


def enqueue(  # noqa: PLR0913  (the columns of a piece of work)
    connection: Connection,
    *,
    kind: str,
    key: str,
    payload: Mapping[str, Any],
    author: str | None = None,
    replaces: bool = False,
) -> int:
    """Queue work, within the caller's transaction; its number.

    With `replaces`, what waits of the same kind and key is dropped for it.
    """
    now = datetime.now(UTC)
    if replaces:
        same = (work.c.kind == kind, work.c.key == key, work.c.state == _QUEUED)
        connection.execute(update(work).where(*same).values(state="dropped", ended_at=now))
    row = {
        "kind": kind,
        "key": key,
        "payload": dict(payload),
        "state": _QUEUED,
        "queued_at": now,
        "not_before": now,
        "tries": 0,
        "author": author and author.lower(),
    }
    return int(connection.execute(insert(work).values(**row).returning(work.c.id)).scalar_one())


def take(
    engine: Engine, worker: str, *, kinds: Collection[str] = (), now: datetime | None = None
) -> Work | None:
    """The oldest piece of work that nobody has and nothing keeps waiting, from now on ours.

    `kinds`: those that the worker can do; none for all.
    """
    now = now or datetime.now(UTC)
    others = work.alias("others")
    held = select(others.c.key).where(others.c.state == _TAKEN, others.c.leased_until >= now)
    free = or_(
        and_(work.c.state == _QUEUED, work.c.not_before <= now, work.c.key.not_in(held)),
        and_(work.c.state == _TAKEN, work.c.leased_until < now),
    )
    mine = [free, work.c.kind.in_(kinds)] if kinds else [free]
    # What a dead worker had comes first: its key is taken until it is.
    order = (work.c.state.desc(), work.c.id)
    next_one = select(work.c.id).where(*mine).order_by(*order).limit(1)
    taking = (
        update(work)
        .where(work.c.id == next_one.with_for_update(skip_locked=True).scalar_subquery())
        .values(state=_TAKEN, taken_by=worker, leased_until=now + LEASE, tries=work.c.tries + 1)
        .returning(*work.c)
    )
    try:
        with engine.begin() as connection:
            row = connection.execute(taking).one_or_none()
    except IntegrityError:
        return None  # another just took work of the same key: what is left is asked for again
    return None if row is None else _read(row)


def waits(engine: Engine, kinds: Collection[str]) -> bool:
    """Whether there may be something to take, asked without writing."""
    open_ = work.c.state.in_((_QUEUED, _TAKEN))
    asked = select(work.c.id).where(open_, work.c.kind.in_(kinds)).limit(1)
    with engine.connect() as connection:
        return connection.scalar(asked) is not None


def renew(engine: Engine, taken: Work, *, now: datetime | None = None) -> bool:
    """Keep it for another while; False if it is somebody else's by now."""
    until = (now or datetime.now(UTC)) + LEASE
    return _mine(engine, taken, {"leased_until": until})


def end(engine: Engine, taken: Work, *, state: str = "done", error: str | None = None) -> bool:
    """`done`, `failed` or `dropped`; False if it is somebody else's by now."""
    ended = {"state": state, "error": error, "ended_at": datetime.now(UTC), "leased_until": None}
    return _mine(engine, taken, ended)


def put_back(engine: Engine, taken: Work, *, after: timedelta, error: str) -> bool:
    """Have it taken again later; it has failed if it was taken often enough."""
    if taken.tries >= TRIES:
        return end(engine, taken, state="failed", error=error)
    later = datetime.now(UTC) + after
    values = {"state": _QUEUED, "not_before": later, "leased_until": None, "error": error}
    return _mine(engine, taken, values)


def _mine(engine: Engine, taken: Work, values: Mapping[str, Any]) -> bool:
    """Whether the work was still ours, as it was taken, and now is so."""
    ours = (
        work.c.id == taken.id,
        work.c.state == _TAKEN,
        work.c.taken_by == taken.taken_by,
        work.c.tries == taken.tries,
    )
    with engine.begin() as connection:
        return bool(connection.execute(update(work).where(*ours).values(**values)).rowcount)


def asked_within(engine: Engine, author: str, *, kind: str, before: Work) -> int:
    """How many pieces of that kind somebody queued in the hour before this one."""
    since = before.queued_at - timedelta(hours=1)
    counted = select(func.count()).where(
        work.c.author == author.lower(),
        work.c.kind == kind,
        work.c.id < before.id,
        work.c.queued_at > since,
    )
    with engine.connect() as connection:
        return connection.scalar(counted) or 0


def work_of(engine: Engine, kind: str, prefix: str) -> list[Work]:
    """All work of that kind whose key begins so, oldest first."""
    named = (work.c.kind == kind, work.c.key.startswith(prefix, autoescape=True))
    with engine.connect() as connection:
        rows = connection.execute(select(work).where(*named).order_by(work.c.id))
        return [_read(row) for row in rows]


def all_work(engine: Engine, *, limit: int = 100) -> list[Work]:
    """The newest, newest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(work).order_by(work.c.id.desc()).limit(limit))
        return [_read(row) for row in rows]


def _read(row: Row[Any]) -> Work:
    return Work(
        id=row.id,
        kind=row.kind,
        key=row.key,
        payload=row.payload,
        state=row.state,
        queued_at=utc(row.queued_at),
        tries=row.tries,
        taken_by=row.taken_by,
        error=row.error,
        author=row.author,
    )
