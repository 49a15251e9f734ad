"""A run whose forked cells are compared with cold processes: toy cells, from end to end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from runner.store.engine import open_store
from tests.conftest import wait_for

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]
QUICK = ["--backend", "toy", "--variant", "forward-static", "--zoo", "tests.toyzoo", "--no-reuse"]


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "runner.cli", "run", *words]


def _variables() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, "COLUMNS": "200"}  # noqa: TID251  (handed on)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(*words: str) -> Completed:
        return subprocess.run(
            _command(*words),
            cwd=tmp_path,
            env=_variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def test_cells_that_differ_are_told_and_the_run_does_not_look_clean(
    run: Run, tmp_path: Path
) -> None:
    names = ("Passes", "KnowsItsOrigin", "FailsWhereForked", "Exits")
    done = run(*(f"toy/{name}/*" for name in names), *QUICK, "--canary", "9")
    assert done.returncode == 1, done.stderr
    assert "canary: 3 cells compared with cold processes: 2 differ" in done.stdout
    client = TestClient(create_app(open_store(f"sqlite:///{tmp_path}/export-matrix.db")))
    told = client.get("/runs/1.json").json()["run"]
    assert told["complete"]
    assert told["canary"]["same"] == ["toy/Passes/forward-static/toy"]
    assert told["canary"]["differ"] == {
        "toy/FailsWhereForked/forward-static/toy": "fail at lower (RuntimeError: what the zygote "
        "imported is in the way) where forked, pass in a cold process",
        "toy/KnowsItsOrigin/forward-static/toy": "another program in a cold process: model",
    }
    page = client.get("/runs/1").text
    assert "in doubt" in page
    assert "2 differ" in page
    assert 'href="/cells/toy/KnowsItsOrigin/forward-static/toy?run=1"' in page


def test_equal_cells_leave_the_run_as_it_is_and_are_nobodys_attempts(
    run: Run, tmp_path: Path
) -> None:
    done = run("toy/Passes/*", "toy/DriftsNumerically/*", *QUICK, "--canary", "1", "--json")
    record = json.loads(done.stdout)
    assert (done.returncode, record["received"]) == (0, 2)
    assert record["canary"] == {"compared": 1, "differ": [], "why": {}, "not_compared": {}}
    (cold,) = (tmp_path / ".export-matrix/runs" / record["run"] / "canary").glob("*.jsonl")
    refused = subprocess.run(
        [sys.executable, "-m", "runner.cli", "ingest", str(cold)],
        cwd=tmp_path,
        env=_variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "names no run" in refused.stderr
    assert json.loads(run("toy/Passes/*", *QUICK, "--json").stdout)["canary"] is None


def test_a_cold_process_that_dies_is_counted_and_not_compared(run: Run) -> None:
    done = run("toy/DiesWhereCold/*", *QUICK, "--canary", "1", "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 0
    assert record["canary"]["compared"] == 0
    assert record["canary"]["not_compared"] == {
        "toy/DiesWhereCold/forward-static/toy": "killed by SIGABRT"
    }


def test_an_interrupted_canary_is_done_on_resume(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    names = ("Passes", "KnowsItsOrigin", "DawdlesWhereCold")
    started = subprocess.Popen(
        _command(*(f"toy/{name}/*" for name in names), *QUICK, "--canary", "3", "-n", "1"),
        cwd=tmp_path,
        env=_variables(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    assert wait_for((tmp_path / "dawdled").exists, 60)
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 1
    record = json.loads(run("--resume", "latest", "--canary", "3", "--json").stdout)
    assert record["canary"]["differ"] == ["toy/KnowsItsOrigin/forward-static/toy"]
    assert record["canary"]["compared"] == 3
    (folder,) = tmp_path.glob(".export-matrix/runs/*/canary")
    before, after = (
        {json.loads(line)["cell"] for line in (folder / name).read_text().splitlines()}
        for name in ("000.jsonl", "001.jsonl")
    )
    assert len(before) + len(after) == 3
    assert before.isdisjoint(after)
