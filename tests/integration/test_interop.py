"""What other programs take: badges, tables, twins, the schema, metrics, a copy of the database."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import inspect, select

from dashboard.app import create_app
from dashboard.signin.access import Access
from runner.core.access import Listed, Roles, SignIn
from runner.settings import Settings
from runner.store import reads, tables
from runner.store.engine import Engine, ensure
from runner.store.snapshots import snapshot
from runner.store.tokens import create_token
from tests.seed import seed


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('interop')}/seed.db")
    seed(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def app(seeded: Engine) -> FastAPI:
    return create_app(seeded)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def test_every_page_has_its_twin(app: FastAPI) -> None:
    routes = {route.path for route in app.state.pages if "GET" in route.methods}
    asides = ("/healthz", "/readyz", "/metrics", "/signin", "/api/")
    pages = {
        path
        for path in routes
        if not re.search(r"\.(json|xml|svg|csv|parquet|sqlite)$", path)
        and not path.startswith(asides)
    }
    assert len(pages) > 12
    lacking = {path for path in pages if f"{'/index' if path == '/' else path}.json" not in routes}
    assert lacking == set()


def test_a_badge_tells_how_many_pass_and_is_readable_without_being_seen(
    client: TestClient, seeded: Engine
) -> None:
    run = reads.run(seeded, "2")
    ran = run.received - run.verdicts[reads.Verdict.SKIP]
    told = client.get("/badges/runs/2.json").json()
    assert told["message"] == f"{run.verdicts[reads.Verdict.PASS]} of {ran} pass"
    image = fromstring(client.get("/badges/runs/2.svg").text)
    assert image.get("aria-label") == f"{told['label']}: {told['message']}"


@pytest.mark.parametrize(
    ("badge", "message"),
    [
        ("runs/3", "incomplete"),
        ("runs/no-such-run", "unknown"),
        ("models/no_such_model", "unknown"),
        ("models/bert?variant=sideways", "unknown"),
        ("models/gpt2?backend=dynamo&variant=forward-static", "2 of 2 pass"),
    ],
)
def test_a_badge_says_what_it_does_not_know(client: TestClient, badge: str, message: str) -> None:
    path, _, query = badge.partition("?")
    assert client.get(f"/badges/{path}.json?{query}").json()["message"] == message


@pytest.mark.parametrize("name", ["runs", "cells", "groups", "changes", "flaky"])
def test_a_table_is_the_same_as_csv_and_as_parquet(client: TestClient, name: str) -> None:
    from pyarrow import parquet

    address = f"/tables/{name}"
    rows = list(csv.DictReader(io.StringIO(client.get(f"{address}.csv?run=2").text)))
    stored = parquet.read_table(io.BytesIO(client.get(f"{address}.parquet?run=2").content))
    assert stored.column_names == list(rows[0])
    assert stored.num_rows == len(rows) > 0


def test_a_table_of_cells_is_narrowed_by_a_search(client: TestClient) -> None:
    address = "/tables/cells.csv?run=2&q=model:mixtral outcome:fail"
    rows = list(csv.DictReader(io.StringIO(client.get(address).text)))
    assert {(row["model_type"], row["verdict"]) for row in rows} == {("mixtral", "fail")}
    assert client.get("/tables/cells.csv?q=nonsense:x").status_code == 404
    assert client.get("/tables/history.csv?cell=no/such").status_code == 404


def test_the_schema_names_every_twin_with_a_summary_and_the_shape_of_errors(
    client: TestClient,
) -> None:
    schema = client.get("/openapi.json").json()
    operations = {
        path: operation for path, each in schema["paths"].items() for operation in each.values()
    }
    assert "/runs/{ref}.json" in operations
    names = [each["operationId"] for each in operations.values()]
    assert len(names) == len({*names})
    assert [path for path, each in operations.items() if not each.get("summary")] == []
    error = schema["components"]["schemas"]["Error"]
    assert client.get("/runs/no-such-run.json").json().keys() == {*error["required"]}


def test_metrics_tell_of_the_newest_complete_run_and_of_requests(client: TestClient) -> None:
    client.get("/runs")
    told = client.get("/metrics").text
    assert re.search(r'export_matrix_newest_complete_cells{verdict="pass"} [1-9]', told)
    assert re.search(r'request_seconds_count{page="runs",status="200"} [1-9]', told)


def test_ready_is_only_a_database_of_this_schema(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/readyz").status_code == 200
    behind = ensure(f"sqlite:///{tmp_path}/behind.db")
    with behind.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with TestClient(create_app(behind)) as other:
        answer = other.get("/readyz")
        assert (answer.status_code, other.get("/healthz").status_code) == (503, 200)
        assert "db upgrade" in answer.json()["status"]
    behind.dispose()


def test_a_snapshot_is_a_database_that_the_dashboard_opens_without_what_is_secret(
    engine: Engine, tmp_path: Path
) -> None:
    seed(engine)
    create_token(engine, "a project", "*")
    snapshot(engine, tmp_path / "copy.sqlite", runs=2)
    copy = ensure(f"sqlite:///{tmp_path}/copy.sqlite")
    with copy.connect() as connection:
        given = {
            name
            for name in inspect(copy).get_table_names()
            if connection.exec_driver_sql(f"SELECT 1 FROM {name} LIMIT 1").first()
        }
        kept = connection.scalars(select(tables.run.c.id).order_by(tables.run.c.id)).all()
    newest = [run.id for run in reads.runs(engine, limit=2)]
    assert kept == sorted(newest)
    assert given.isdisjoint({"token", "session", "delivery", "work", "pull", "pull_run"})
    assert b"a project" not in (tmp_path / "copy.sqlite").read_bytes()
    with TestClient(create_app(copy)) as client:
        failed = "/cells/mixtral/MixtralModel/forward-dynamic/dynamo"
        assert "Traceback" in client.get(failed).text
    copy.dispose()


def test_a_snapshot_is_for_admins_unless_it_is_open(
    seeded: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Listed()
    everybody = Roles(readers=Listed(everybody=True), triagers=nobody, admins=nobody)
    access = Access(sign_in=SignIn.NONE, roles=everybody, url="http://testserver")
    with TestClient(create_app(seeded, access)) as client:
        assert client.get("/snapshot.sqlite").status_code == 401
        opened = Settings(snapshot="open")  # type: ignore[call-arg]  # the rest has defaults
        monkeypatch.setattr("dashboard.pages.snapshots.settings", lambda: opened)
        assert client.get("/snapshot.sqlite").content.startswith(b"SQLite format 3")
