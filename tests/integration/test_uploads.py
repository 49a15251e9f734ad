"""Results that projects send over HTTP: by whom, how much, how often, and through an outage."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi.testclient import TestClient
from httpx2 import Response

from dashboard.app import create_app
from harness.cells import Cell
from harness.results import Outcome, Result
from runner.core.runs import Verdict
from runner.steps import uploads
from runner.store import reads, tokens
from runner.store.engine import Engine, ensure
from tests.conftest import ROOT, free_port, wait_for


def _lines(*names: str, run: str = "ci-1") -> bytes:
    made = [
        Result(
            cell=Cell.parse(f"bert/{name}/forward-static/onnx"),
            outcome=Outcome.PASS,
            run=run,
            revision="5.23.0",
            stack={"torch": "2.13"},
        )
        for name in names
    ]
    return "".join(f"{each.to_line()}\n" for each in made).encode()


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(engine)) as made:
        yield made


def _send(client: TestClient, secret: str, body: bytes, *, run: str = "ci-1") -> Response:
    packed = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
    return client.post(
        f"/api/v1/runs/{run}/shards/3",
        content=body,
        headers={"Authorization": f"Bearer {secret}", **packed},
    )


def test_a_shard_is_taken_once_however_often_and_however_packed(
    client: TestClient, engine: Engine
) -> None:
    _, secret = tokens.create_token(engine, "ci", "ci-*")
    body = _lines("BertModel", "BertForMaskedLM")
    first, second = _send(client, secret, gzip.compress(body)), _send(client, secret, body)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == {"run": "ci-1", "shard": 3, "new": 2, "seen": 0}
    assert second.json() == {"run": "ci-1", "shard": 3, "new": 0, "seen": 2}
    assert reads.run(engine, "ci-1").verdicts == {Verdict.PASS: 2}


def test_who_has_no_token_or_one_for_other_runs_or_a_revoked_one_adds_nothing(
    client: TestClient, engine: Engine
) -> None:
    number, secret = tokens.create_token(engine, "ci", "ci-*")
    body = _lines("BertModel")
    assert _send(client, "emx_guessed", body).status_code == 401
    assert client.post("/api/v1/runs/ci-1/shards/0", content=body).status_code == 401
    assert _send(client, secret, body, run="nightly-1").status_code == 403
    tokens.revoke_token(engine, number)
    assert _send(client, secret, body).status_code == 401
    assert reads.runs(engine) == []


def test_a_secret_is_nowhere_in_the_database(engine: Engine) -> None:
    _, secret = tokens.create_token(engine, "ci", "ci-*")
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM token").all()
    assert len(rows) == 1
    assert secret not in str(rows)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (_lines("BertModel") + b'{"half": ', "shard 3:2: not JSON"),
        (_lines("BertModel") + _lines("BertModel", run="other"), "'other'"),
        (gzip.compress(_lines("BertModel"))[:-9], "broke off"),
        (gzip.compress(_lines("BertModel")) + b"more", "behind its gzip"),
        (b"\x1f\x8bnothing", "no gzip"),
    ],
)
def test_a_body_is_taken_whole_or_not_at_all(
    client: TestClient, engine: Engine, body: bytes, says: str
) -> None:
    _, secret = tokens.create_token(engine, "ci", "ci-*")
    answer = _send(client, secret, body)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert reads.runs(engine) == []


def test_too_much_is_refused_as_sent_and_as_unpacked(
    client: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = tokens.create_token(engine, "ci", "ci-*")
    monkeypatch.setattr(uploads, "LARGEST_UNPACKED", 2**20)
    bomb = gzip.compress(b" " * 2**24)
    assert len(bomb) < 2**15
    assert _send(client, secret, bomb).status_code == 413
    monkeypatch.setattr(uploads, "LARGEST_SENT", 100)
    assert _send(client, secret, _lines("BertModel")).status_code == 413


@contextmanager
def _served(engine: Engine, port: int) -> Iterator[None]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(engine), port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_for(lambda: server.started)
    yield
    server.should_exit = True
    thread.join(20)


def test_an_upload_survives_an_outage_and_refusals_are_set_aside(tmp_path: Path) -> None:
    engine = ensure(f"sqlite:///{tmp_path}/matrix.db")
    _, secret = tokens.create_token(engine, "ci", "ci-*")
    port = free_port()
    (tmp_path / "000.jsonl").write_bytes(_lines("BertModel"))
    (tmp_path / "001.jsonl").write_bytes(_lines("BertModel", run="of-others"))

    def upload(*files: str) -> subprocess.CompletedProcess[str]:
        here = {
            "EXPORT_MATRIX_UPLOAD_URL": f"http://127.0.0.1:{port}",
            "EXPORT_MATRIX_UPLOAD_TOKEN": secret,
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            [sys.executable, "-m", "runner.cli", "upload", *files],
            cwd=tmp_path,
            env={**os.environ, **here},  # noqa: TID251  (handed on)
            capture_output=True,
            text=True,
            check=False,
        )

    down = upload("000.jsonl", "001.jsonl")
    assert down.returncode == 1
    assert "can't be reached" in down.stdout
    (tmp_path / "000.jsonl").unlink()
    with _served(engine, port):
        later = upload()
    assert later.returncode == 1
    assert "000.jsonl: 1 new results, 0 known" in later.stdout
    assert "001.jsonl: refused (403)" in later.stdout
    assert secret not in later.stdout + later.stderr + down.stdout + down.stderr
    spool = tmp_path / ".export-matrix/spool"
    assert [each.suffix for each in spool.iterdir() if each.suffix != ".json"] == [".refused"]
    about = json.loads(next(spool.glob("*.json")).read_text())
    assert about["name"] == "001.jsonl"
    assert reads.run(engine, "ci-1").verdicts == {Verdict.PASS: 1}
    engine.dispose()
