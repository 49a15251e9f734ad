"""Who is told of a search by a webhook: made, listed, ended; and queued when a run has ended."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, insert, select, update

from harness.errors import SelectionError
from runner.store.queue import enqueue
from runner.store.reads import utc
from runner.store.tables import subscription as subscriptions_

#: kinds of work
ANNOUNCE, DELIVER = "announce", "deliver"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Somebody who is told."""

    id: int
    url: str = field(repr=False)
    search: str
    #: what deliveries are signed with
    secret: str = field(repr=False)
    created_at: datetime
    created_by: str
    #: the run that was told last, and a digest of what was told
    told: str | None
    told_at: datetime | None


def subscribe(engine: Engine, url: str, search: str, *, by: str) -> Subscription:
    """A new one; its secret is told now and never again."""
    row = {
        "url": url,
        "search": search,
        "secret": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "created_at": datetime.now(UTC),
        "created_by": by[:100],
    }
    with engine.begin() as connection:
        made = insert(subscriptions_).values(**row).returning(subscriptions_.c.id)
        number = int(connection.execute(made).scalar_one())
    return one(engine, number)


def one(engine: Engine, number: int) -> Subscription:
    """The one of that number; `SelectionError` if there is none, or none any more."""
    found = next(_read(engine, _ACTIVE.where(subscriptions_.c.id == number)), None)
    if found is None:
        raise SelectionError(f"no subscription {number}; see: export-matrix subscribe list")
    return found


def active(engine: Engine) -> list[Subscription]:
    """All that have not ended, oldest first."""
    return list(_read(engine, _ACTIVE.order_by(subscriptions_.c.id)))


def unsubscribe(engine: Engine, number: int) -> None:
    """Nothing more is sent; the address and the secret are forgotten."""
    one(engine, number)
    gone = {"ended_at": datetime.now(UTC), "url": "", "secret": ""}
    with engine.begin() as connection:
        meant = update(subscriptions_).where(subscriptions_.c.id == number)
        connection.execute(meant.values(**gone))


def note_told(engine: Engine, number: int, told: str) -> None:
    """Remember what was delivered."""
    with engine.begin() as connection:
        meant = update(subscriptions_).where(subscriptions_.c.id == number)
        connection.execute(meant.values(told=told, told_at=datetime.now(UTC)))


def announce(connection: Connection, uid: str) -> None:
    """Queue that a run has ended, if anybody is told of runs."""
    if connection.execute(_ACTIVE.limit(1)).first() is not None:
        key = f"{ANNOUNCE}/{uid}"
        enqueue(connection, kind=ANNOUNCE, key=key, payload={"run": uid}, replaces=True)


_ACTIVE = select(subscriptions_).where(subscriptions_.c.ended_at.is_(None))


def _read(engine: Engine, asked: Select[Any]) -> Iterator[Subscription]:
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    for row in rows:
        yield Subscription(
            id=row.id,
            url=row.url,
            search=row.search,
            secret=row.secret,
            created_at=utc(row.created_at),
            created_by=row.created_by,
            told=row.told,
            told_at=row.told_at and utc(row.told_at),
        )
