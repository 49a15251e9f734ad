"""Opens a database and holds it to this version's schema.

SQLite by default, PostgreSQL for a team. A database that is behind is never upgraded in passing:
the message names the command. Only one that has no table at all is made on first use.
"""

import sqlite3
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

import migrations
from harness.errors import StoreError

__all__ = ["Engine", "ensure", "open_store", "require_current", "unready", "upgrade"]

_BUSY_MS = 30_000
#: pages of the database that a connection keeps: those of two runs that are compared
_CACHE_KIB = 8192
# Two that find the same empty database make it once: the second waits, and finds it made.
_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(1163415893)"}


def open_store(url: str) -> Engine:
    """An engine for the URL; `StoreError` if it is none or can't be reached."""
    try:
        engine = create_engine(_with_driver(url))
    except (ArgumentError, ImportError) as error:
        raise StoreError(
            f"{url!r} is no database URL ({error}); use sqlite:///file.db or postgresql://…"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune)
    try:
        engine.connect().close()
    except OperationalError as error:
        engine.dispose()
        raise StoreError(f"can't open the database: {error.orig}") from None
    return engine


def _with_driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return (
        f"postgresql+psycopg://{rest}"
        if separator and scheme in ("postgresql", "postgres")
        else url
    )


def _tune(connection: Any, _record: object) -> None:  # noqa: ANN401  (the driver's connection)
    """Readers beside a writer, and waiting instead of failing when it is busy."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _log_ahead(cursor)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _log_ahead(cursor: Any) -> None:  # noqa: ANN401  (the driver's cursor)
    """Where several open a new database at once, SQLite refuses this at once instead of waiting."""
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def ensure(url: str) -> Engine:
    """An engine whose schema is this version's; an empty database gets it now."""
    engine = open_store(url)
    try:
        if not inspect(engine).get_table_names():
            _upgrade(engine)
        require_current(engine)
    except StoreError:
        engine.dispose()
        raise
    return engine


def upgrade(url: str) -> None:
    """Create the schema, or bring it to this version's."""
    engine = open_store(url)
    try:
        _require_not_ahead(engine)
        _upgrade(engine)
    finally:
        engine.dispose()


def _upgrade(engine: Engine) -> None:
    config = _config()
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def require_current(engine: Engine) -> None:
    """`StoreError`, with the command that helps, unless the schema is this version's."""
    _require_not_ahead(engine)
    if _revision(engine) != _scripts().get_current_head():
        raise StoreError("the database is behind this version; run: export-matrix db upgrade")


def unready(engine: Engine) -> str | None:
    """Why the database can't be used now; None if it can."""
    try:
        require_current(engine)
    except StoreError as error:
        return str(error)
    except SQLAlchemyError:
        return "the database can't be reached"
    return None


def _require_not_ahead(engine: Engine) -> None:
    found = _revision(engine)
    if found is not None and found not in {
        script.revision for script in _scripts().walk_revisions()
    }:
        raise StoreError(
            f"the database is newer than this version (schema {found}); "
            "upgrade export-matrix: pip install --upgrade export-matrix"
        )


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
