"""Bulk statements that both databases take: insert what is new, update what is there, find ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

# Stays under SQLite's bound of 32,766 parameters a statement.
_ROWS = 1000

Item = TypeVar("Item")
Insert = postgresql.Insert | sqlite.Insert


def chunks(items: Sequence[Item], size: int = _ROWS) -> Iterator[Sequence[Item]]:
    """The items in pieces that fit one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_into(connection: Connection, table: Table) -> Insert:
    """An insert that knows `ON CONFLICT`, which each dialect has for itself."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose unique key is not there yet."""
    if rows:
        connection.execute(insert_into(connection, table).on_conflict_do_nothing(), rows)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keys: Sequence[str]
) -> None:
    """Insert the rows, or update those whose key is there."""
    if rows:
        statement = insert_into(connection, table)
        others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        statement = statement.on_conflict_do_update(index_elements=list(keys), set_=others)
        connection.execute(statement, rows)


def fill(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Make a temporary table hold exactly these rows, within this transaction."""
    connection.execute(CreateTable(table, if_not_exists=True))
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        return
    connection.execute(delete(table))
    if rows:
        statement = insert(table).compile(dialect=connection.dialect)
        connection.exec_driver_sql(str(statement), list(rows))


def _copy(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """PostgreSQL's own way in, several times as fast as inserts."""
    driver: Any = connection.connection.driver_connection
    columns = ", ".join(column.name for column in table.columns)
    with driver.cursor().copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def lock_out_writers(connection: Connection, table: Table) -> None:
    """Wait for those who write to the table, and let no other in; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


def ids(connection: Connection, table: Table, column: str, values: Sequence[str]) -> dict[str, int]:
    """value -> id, of those that are there."""
    found: dict[str, int] = {}
    for part in chunks(list(dict.fromkeys(values))):
        named = select(table.c[column], table.c.id).where(table.c[column].in_(part))
        found |= dict(connection.execute(named).all())
    return found
