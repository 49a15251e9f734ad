"""The schema that migrations make is the one that the tables say, and a wrong one is refused."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text

from harness.cells import Cell
from harness.errors import StoreError
from harness.results import Outcome
from runner.core.runs import Verdict
from runner.store import reads, tables, writes
from runner.store.attempts import attempts_at
from runner.store.engine import Engine, ensure, open_store, require_current, upgrade
from runner.store.tables import metadata
from tests import big
from tests.conftest import migrating

CELL = Cell.parse("m/M/forward-static/onnx")


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


def _first_schema(engine: Engine) -> None:
    """The schema of revision 0001, with one failure."""
    with engine.begin() as connection:
        command.upgrade(migrating(connection), "0001")
        body = "Traceback of 0001"
        detail = json.dumps(
            {"schema": 1, "cell": CELL.id, "outcome": "fail", "stage": "capture", "attempt": 1}
        )
        for row in (
            "run (id, uid, revision, stack, selection, started_at, expected) VALUES"
            """ (1, 'r1', '5.23.0', '{"torch": "2.13"}', '', '2026-11-23 12:00:00+00:00', 1)""",
            f"cell (id, cell) VALUES (1, '{CELL.id}')",
            "failure_group (id, signature, title, kind, owner)"
            " VALUES (1, 's1-0', 'a title', 'a-kind', 'model')",
            f"text (id, sha256, body) VALUES (1, '{_sha256(detail)}', '{detail}')",
            f"text (id, sha256, body) VALUES (2, '{_sha256(body)}', '{body}')",
            "result (id, run_id, cell_id, attempt, outcome, group_id, detail_id, traceback_id)"
            " VALUES (1, 1, 1, 1, 'fail', 1, 1, 2)",
            "verdict (run_id, cell_id, verdict, stage, kind, group_id, suspect, attempts)"
            " VALUES (1, 1, 'fail', 'capture', 'a-kind', 1, false, 1)",
        ):
            connection.exec_driver_sql(f"INSERT INTO {row}")


def _sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def test_results_of_the_first_schema_come_back_and_are_folded_with_new_ones(url: str) -> None:
    engine = open_store(url)
    _first_schema(engine)
    upgrade(url)
    old = attempts_at(engine, 1, CELL)[0]
    assert (old.traceback, old.stack, old.signature) == (
        "Traceback of 0001",
        {"torch": "2.13"},
        "s1-0",
    )
    again = old.replace(attempt=2, outcome=Outcome.PASS, stage=None, signature=None)
    writes.ingest_results(engine, [old, again])
    assert attempts_at(engine, 1, CELL)[0] == old
    assert reads.run(engine, "r1").verdicts == {Verdict.FLAKY: 1}
    with engine.connect() as connection:
        traces = select(func.count()).where(tables.text.c.body == old.traceback)
        assert connection.scalar(traces) == 1
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


def test_after_an_upgrade_the_past_of_a_cell_is_still_read_in_its_order(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/counted.db"
    engine = ensure(url)
    big.fill(engine, runs=40, cells_a_run=48, groups=30)
    with engine.begin() as connection:
        command.downgrade(migrating(connection), "0013")
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()
    upgrade(url)
    engine = open_store(url)
    asked = "SELECT verdict, stage FROM verdict WHERE cell_id = 7 ORDER BY run_id DESC LIMIT 3"
    with engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]
    engine.dispose()
    assert plan == ["SEARCH verdict USING INDEX ix_verdict_cell_id_run_id (cell_id=?)"]
