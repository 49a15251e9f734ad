"""Tokens of projects and scripts: made, listed, revoked, and found by their secret.

A secret is told once, when it is made; only its digest is kept. A token has one scope; one for
results is good for the runs whose names its glob means.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Engine, Select, insert, select, update

from harness.errors import SelectionError
from runner.core.access import Scope
from runner.store.reads import utc
from runner.store.rows import secret_digest
from runner.store.tables import token as tokens_

_PREFIX = "emx_"
# That a token is used is noted now and then: a script may ask many times a second.
_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; its secret is not."""

    id: int
    project: str
    scope: Scope
    #: a glob over the names of the runs that it may send results of
    runs: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None

    def allows(self, run: str) -> bool:
        """Whether it may send results of that run."""
        sends = self.scope is Scope.RESULTS and self.revoked_at is None
        return sends and fnmatchcase(run, self.runs)


def create_token(
    engine: Engine, project: str, runs: str, *, scope: Scope = Scope.RESULTS
) -> tuple[int, str]:
    """A new token's number and secret."""
    secret = _PREFIX + secrets.token_urlsafe(32)
    row = {
        "project": project,
        "scope": scope.value,
        "runs": runs,
        "digest": secret_digest(secret),
        "created_at": datetime.now(UTC),
    }
    with engine.begin() as connection:
        number = connection.execute(insert(tokens_).values(**row).returning(tokens_.c.id))
        return int(number.scalar_one()), secret


def all_tokens(engine: Engine) -> list[Token]:
    """All, the newest first, revoked ones too."""
    return _read(engine, select(tokens_).order_by(tokens_.c.id.desc()))


def token_of(engine: Engine, secret: str) -> Token | None:
    """The token with that secret, unless it was revoked; that it was used is noted."""
    asked = select(tokens_).where(
        tokens_.c.digest == secret_digest(secret), tokens_.c.revoked_at.is_(None)
    )
    found = next(iter(_read(engine, asked)), None)
    now = datetime.now(UTC)
    if found is not None and (found.used_at is None or now - found.used_at > _NOTED_EVERY):
        with engine.begin() as connection:
            used = update(tokens_).where(tokens_.c.id == found.id)
            connection.execute(used.values(used_at=now))
    return found


def revoke_token(engine: Engine, number: int) -> None:
    """From now on it is good for nothing; `SelectionError` if there is none of that number."""
    with engine.begin() as connection:
        known = connection.scalar(select(tokens_.c.id).where(tokens_.c.id == number))
        if known is None:
            raise SelectionError(f"no token {number}; see: export-matrix token list")
        one = update(tokens_).where(tokens_.c.id == number, tokens_.c.revoked_at.is_(None))
        connection.execute(one.values(revoked_at=datetime.now(UTC)))


def _read(engine: Engine, asked: Select[Any]) -> list[Token]:
    with engine.connect() as connection:
        return [
            Token(
                id=row.id,
                project=row.project,
                scope=Scope(row.scope),
                runs=row.runs,
                created_at=utc(row.created_at),
                used_at=row.used_at and utc(row.used_at),
                revoked_at=row.revoked_at and utc(row.revoked_at),
            )
            for row in connection.execute(asked)
        ]
