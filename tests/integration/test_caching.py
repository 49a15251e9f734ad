"""What was answered is answered again until the database changes, and never to somebody else."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient

from dashboard.app import create_app
from dashboard.caching import Caching
from dashboard.signin.visitors import Visitor
from runner.store import writes
from runner.store.engine import Engine
from runner.store.kept import Kept, keeping
from runner.store.reads import verdicts
from runner.store.watching import Watch
from tests.seed import cells


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(engine)) as client:
        yield client


def _run(engine: Engine, name: str) -> int:
    opened = writes.open_run(
        engine,
        uid=name,
        revision=name,
        stack={},
        selection="all",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        cells=cells()[:4],
    )
    return opened.id


def test_a_browser_that_has_the_page_is_told_so_until_something_is_written(
    engine: Engine, client: TestClient
) -> None:
    _run(engine, "first")
    page = client.get("/runs")
    has = {"If-None-Match": page.headers["etag"]}
    again = client.get("/runs", headers=has)
    assert (again.status_code, again.content) == (304, b"")
    assert "Content-Security-Policy" in again.headers
    _run(engine, "second")
    changed = client.get("/runs", headers=has)
    assert changed.status_code == 200
    assert "second" in changed.text


def test_the_state_of_a_database_changes_with_what_is_committed_alone(engine: Engine) -> None:
    watch = Watch(engine)
    before = watch.state()
    assert watch.state() == before
    _run(engine, "one")
    assert watch.state() != before


def test_what_is_answered_to_one_is_not_answered_to_another() -> None:
    app = FastAPI()
    counted: list[int] = []

    @app.get("/{_path}")
    def anything(_path: str) -> Response:
        counted.append(1)
        return Response(f"answer {len(counted)}")

    async def signed_in(
        request: Request, call_next: Callable[..., Awaitable[Response]]
    ) -> Response:
        request.state.visitor = Visitor(name=request.headers.get("authorization"))
        return await call_next(request)

    app.add_middleware(Caching, state=lambda: "always the same")
    app.middleware("http")(signed_in)
    with TestClient(app) as client:
        mine = {"Authorization": "mine"}
        told = [client.get("/page", headers=each).text for each in ({}, mine, {}, mine)]
    assert told == ["answer 1", "answer 2", "answer 1", "answer 2"]


def test_answers_are_packed_for_those_who_take_it(client: TestClient) -> None:
    def encoding(**headers: str) -> str | None:
        return client.get("/runs", headers=headers).headers.get("content-encoding")

    assert encoding(**{"Accept-Encoding": "gzip"}) == "gzip"
    assert encoding(**{"Accept-Encoding": "identity"}) is None


def test_cells_of_a_run_are_kept_only_once_it_has_ended(engine: Engine) -> None:
    _run(engine, "open")
    kept = keeping(engine, Kept())
    assert verdicts(kept, 1) is not verdicts(kept, 1)
    writes.close_run(engine, "open", closed_at=datetime.now(UTC), duration_s=1.0)
    assert verdicts(kept, 1) is verdicts(kept, 1)
    assert verdicts(kept, 1) == verdicts(engine, 1)
