"""Tells whether a database may have changed: the state is another after every commit of anybody.

It is asked before what is remembered under it is read, so what is remembered is never older than
the state says. SQLite counts the commits that others make, for one connection, which is kept;
PostgreSQL names the transactions that a reader would see.
"""

import sqlite3
import threading
import weakref
from itertools import count

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

_SEEN = "SELECT pg_current_snapshot()::text"


class Watch:
    """Watches one database; usable by several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._unknown = count()
        self._alone = threading.Lock()
        self._sqlite: sqlite3.Connection | None = None
        if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
            path = str(engine.url.database)
            self._sqlite = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            weakref.finalize(self, self._sqlite.close)

    def state(self) -> str:
        """Equal to an earlier one only if nothing was committed between; never if it can't tell."""
        try:
            if self._sqlite is not None:
                with self._alone:
                    return str(self._sqlite.execute("PRAGMA data_version").fetchone()[0])
            if self._engine.dialect.name == "postgresql":
                with self._engine.connect() as connection:
                    return str(connection.exec_driver_sql(_SEEN).scalar_one())
        except (SQLAlchemyError, sqlite3.Error):
            pass  # whoever reads the database meets the error, and tells it
        return f"unknown {next(self._unknown)}"
