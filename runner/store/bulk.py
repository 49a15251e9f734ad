"""Bulk statements that both databases take: insert what is new, update what is there, find ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

# Stays under SQLite's bound of 32,766 parameters a statement.
_ROWS = 1000

Item = TypeVar("Item")
Insert = postgresql.Insert | sqlite.Insert


def chunks(items: Sequence[Item], size: int = _ROWS) -> Iterator[Sequence[Item]]:
    """The items in pieces that fit one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _insert(connection: Connection, table: Table) -> Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose unique key is not there yet; how many those were."""
    new = 0
    for part in chunks(rows):
        statement = _insert(connection, table).values(list(part)).on_conflict_do_nothing()
        # Counted by what comes back: not every driver counts rows of such a statement.
        new += len(connection.execute(statement.returning(*table.primary_key)).all())
    return new


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Insert the rows, or update those whose key is there."""
    for part in chunks(rows):
        statement = _insert(connection, table).values(list(part))
        others = {name: statement.excluded[name] for name in part[0] if name not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=others))


def ids(connection: Connection, table: Table, column: str, values: Sequence[str]) -> dict[str, int]:
    """value -> id, of those that are there."""
    found: dict[str, int] = {}
    for part in chunks(list(dict.fromkeys(values))):
        named = select(table.c[column], table.c.id).where(table.c[column].in_(part))
        found |= dict(connection.execute(named).all())
    return found
