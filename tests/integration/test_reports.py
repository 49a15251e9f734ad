"""`report` and JUnit XML on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.cli import app
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.seed import seed

RUNNER = CliRunner()


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/matrix.db"
    engine: Engine = ensure(url)
    seed(engine)
    engine.dispose()
    return url


def test_a_report_is_written_as_a_page_that_needs_nothing_else(
    database: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    done = RUNNER.invoke(
        app, ["report", "2", "--format", "html", "-o", str(file), "--database", database]
    )
    assert done.exit_code == 0, done.output
    page = file.read_text()
    assert "10 regressed" in page
    assert "http://127.0.0.1:8000/diff/1/2" in page
    assert "/static/" not in page
    assert "<script>" not in page


def test_a_report_compares_with_the_run_that_is_named(database: str) -> None:
    done = RUNNER.invoke(app, ["report", "1", "--baseline", "2", "--database", database])
    assert done.exit_code == 0, done.output
    assert "10 fixed" in done.output


def test_a_run_goes_through_junit_into_another_database(database: str, tmp_path: Path) -> None:
    file, other = tmp_path / "run.xml", f"sqlite:///{tmp_path}/other.db"
    for command in (
        ["report", "2", "--format", "junit", "-o", str(file), "--database", database],
        ["ingest", str(file), "--database", other],
    ):
        done = RUNNER.invoke(app, command)
        assert done.exit_code == 0, done.output
    here, there = ensure(database), ensure(other)
    found, came = reads.run(here, "2"), reads.run(there, "latest")
    assert (came.uid, came.revision, came.stack) == (found.uid, found.revision, found.stack)
    expected = dict(found.verdicts)
    expected["fail"] += expected.pop("flaky", 0)
    assert came.verdicts == expected
    for engine in (here, there):
        engine.dispose()


def test_junit_that_does_not_say_its_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "theirs.xml"
    file.write_text("<testsuite/>")
    url = f"sqlite:///{tmp_path}/matrix.db"
    done = RUNNER.invoke(app, ["ingest", str(file), "--database", url])
    assert "--run NAME" in str(done.exception)
