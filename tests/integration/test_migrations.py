"""The schema that migrations make is the one that the tables say, and a wrong one is refused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from harness.errors import StoreError
from runner.store.engine import Engine, ensure, open_store, require_current, upgrade
from runner.store.tables import metadata


def test_the_migrations_make_exactly_the_tables(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_changes_nothing(url: str) -> None:
    upgrade(url)
    upgrade(url)
    engine = open_store(url)
    require_current(engine)
    engine.dispose()


def test_an_empty_database_that_several_open_at_once_is_made_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        for engine in pool.map(ensure, [url] * 4):
            require_current(engine)
            engine.dispose()


def _set_revision(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


def test_a_database_that_is_ahead_says_what_to_upgrade(engine: Engine, url: str) -> None:
    _set_revision(engine, "9999")
    for refused in (ensure, upgrade):
        with pytest.raises(StoreError, match="pip install --upgrade export-matrix"):
            refused(url)


def test_a_database_that_is_behind_names_the_command(engine: Engine, url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(StoreError, match="export-matrix db upgrade"):
        ensure(url)


@pytest.mark.parametrize("wrong", ["nonsense", "mysql://x/y", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_can_not_be_opened_is_one_line(wrong: str) -> None:
    with pytest.raises(StoreError):
        open_store(wrong)
