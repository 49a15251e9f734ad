"""Sessions of people who signed in: begun, found by their secret, listed, ended.

A secret is told once, to the browser; only its digest is kept. A session that has expired, or was
ended, is found no more, and removed a month later.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, delete, insert, select, update

from runner.store.reads import utc
from runner.store.rows import secret_digest
from runner.store.tables import session as sessions_

_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody who has signed in; the secret is not known."""

    id: int
    login: str
    #: organisations and teams
    memberships: tuple[str, ...]
    started_at: datetime
    expires_at: datetime


def begin(
    engine: Engine, login: str, memberships: Collection[str], *, lasts: timedelta
) -> tuple[Session, str]:
    """A new session, and its secret."""
    secret, now = secrets.token_urlsafe(32), datetime.now(UTC)
    row = {
        "digest": secret_digest(secret),
        "login": login,
        "memberships": sorted(memberships),
        "started_at": now,
        "expires_at": now + lasts,
    }
    with engine.begin() as connection:
        connection.execute(delete(sessions_).where(sessions_.c.expires_at < now - _KEPT))
        connection.execute(insert(sessions_).values(**row))
    [found] = _read(engine, select(sessions_).where(sessions_.c.digest == row["digest"]))
    return found, secret


def session_of(engine: Engine, secret: str) -> Session | None:
    """The session with that secret, if it goes on."""
    asked = _going().where(sessions_.c.digest == secret_digest(secret))
    return next(iter(_read(engine, asked)), None)


def sessions(engine: Engine, *, login: str | None = None, limit: int = 200) -> list[Session]:
    """The sessions that go on, the newest first; of somebody, or of all."""
    asked = _going().order_by(sessions_.c.id.desc()).limit(limit)
    return _read(engine, asked if login is None else asked.where(sessions_.c.login == login))


def end(engine: Engine, number: int, *, login: str | None = None) -> bool:
    """End a session, of that person if one is named; whether there was such a one."""
    one = update(sessions_).where(sessions_.c.id == number, sessions_.c.ended_at.is_(None))
    one = one if login is None else one.where(sessions_.c.login == login)
    with engine.begin() as connection:
        kept = connection.execution_options(preserve_rowcount=True)
        return kept.execute(one.values(ended_at=datetime.now(UTC))).rowcount == 1


def _going() -> Select[Any]:
    now = datetime.now(UTC)
    return select(sessions_).where(sessions_.c.expires_at > now, sessions_.c.ended_at.is_(None))


def _read(engine: Engine, asked: Select[Any]) -> list[Session]:
    with engine.connect() as connection:
        return [
            Session(
                id=row.id,
                login=row.login,
                memberships=tuple(row.memberships),
                started_at=utc(row.started_at),
                expires_at=utc(row.expires_at),
            )
            for row in connection.execute(asked)
        ]
