"""`confirm` on toys whose fate a commit, the moment or the machine decides; what it keeps."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from dashboard.app import create_app
from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.runs import Verdict
from runner.store import reads, tables, writes
from runner.store.engine import Engine, open_store
from runner.store.reruns import note_reruns, reruns
from tests.conftest import ROOT, wait_for
from tests.unit.test_revisions_commits import FILES, git

ZOO = """
import time
from pathlib import Path

from tests.toyzoo import zoo
from tests.toyzoo.toys import Toy

try:
    from transformers.factor import FACTOR
except ModuleNotFoundError:
    FACTOR = 0  # the runner sees the installed Transformers


class Scaled(Toy):
    def run(self, x):
        while (HERE / "wait").exists():
            time.sleep(0.05)
        return x * FACTOR


class Wobbles(Toy):
    # fails once where it finds its mark, and takes that away
    def lower(self):
        mark = HERE / "wobble"
        if mark.exists():
            mark.unlink()
            raise ConnectionError("the first time is the hardest")


class Rots(Toy):
    def lower(self):
        if (HERE / "rotten").exists():
            raise OSError("the disk is full")
"""
CLASSES = ("Scaled", "Wobbles", "Rots")


@dataclass(frozen=True)
class World:
    """A folder in which the command runs, beside a checkout of two commits."""

    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "runner.cli", *words],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},  # noqa: TID251  (handed on)
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        begun = self.start(*words)
        out, err = begun.communicate(timeout=300)
        return subprocess.CompletedProcess([], begun.returncode, out, err)

    def run(self, tag: str) -> None:
        cells = [f"toy/{name}/forward-static/toy" for name in CLASSES]
        where = ["--revision", f"clone@{tag}", "--zoo", "mine", "--canary", "0", "--no-reuse"]
        done = self("run", *cells, *where, "--backend", "toy", "--variant", "forward-static")
        assert done.returncode == 0, done.stderr

    def diff(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("diff", "1", "2", "--format", "json").stdout)
        return found

    def engine(self) -> Engine:
        return open_store(f"sqlite:///{self.folder}/export-matrix.db")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Run 1 is of the first commit, run 2 of the second, and everything differs."""
    folder = tmp_path / "clone"
    files = FILES | {"setup.py": "install_requires = []\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    for number, factor in enumerate((2, 5)):
        (folder / "src/transformers/factor.py").write_text(f"FACTOR = {factor}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"factor {factor}")
        git(folder, "tag", f"v{number}")
    (tmp_path / "mine.py").write_text(f"{ZOO}\nHERE = Path({str(tmp_path)!r})\n")
    made = World(folder=tmp_path)
    made.run("v0")
    for mark in ("wobble", "rotten"):
        (tmp_path / mark).touch()
    made.run("v1")
    return made


def _outcomes(record: dict[str, Any]) -> dict[str, str]:
    return {each["cell"].split("/")[1]: each["confirmation"]["outcome"] for each in record["cells"]}


def test_losses_are_told_apart_by_executing_them_again_on_both_sides(world: World) -> None:
    before = world.diff()
    assert set(_outcomes(before).values()) == {"unknown"}
    done = world("confirm", "1", "2", "--fail-on", "regressed")
    assert done.returncode == 3, done.stderr
    assert "❌ 1 export lost" in done.stdout
    assert "3 regressed, 2 of them set aside" in done.stdout
    record = world.diff()
    assert _outcomes(record) == {
        "Scaled": "new",
        "Wobbles": "flaky",
        "Rots": "broken-on-baseline-too",
    }
    scaled = next(each for each in record["cells"] if "Scaled" in each["cell"])
    assert (scaled["confirmation"]["before"], scaled["confirmation"]["after"]) == (
        {"pass": 3},
        {"fail": 3},
    )
    assert record["counts"] == before["counts"] == {"regressed": 3}
    assert [run.verdicts for run in reads.runs(world.engine())] == [
        {Verdict.FAIL: 3},
        {Verdict.PASS: 3},
    ]
    chosen = world("diff", "2", "--checkout", "clone")
    assert "chosen: run 1 at " in chosen.stdout
    assert "1 commit before it on main" in chosen.stdout
    # nothing is left to do, and nothing is executed again
    assert "fail toy" not in world("confirm", "1", "2").stderr
    page = TestClient(create_app(world.engine())).get("/diff/1/2")
    for told in ("broken on the baseline too", "flaky when executed again", "new with the head"):
        assert told in page.text
    twin = TestClient(create_app(world.engine())).get("/diff/1/2.json").json()
    assert {each["outcome"]: each["count"] for each in twin["confirmed"]} == {
        "new": 1,
        "flaky": 1,
        "broken-on-baseline-too": 1,
    }


def test_a_confirmation_that_was_interrupted_goes_on_where_it_was(world: World) -> None:
    (world.folder / "wait").touch()
    begun = world.start("confirm", "1", "2")
    shards = ".export-matrix/reruns/*/shards/*.jsonl"
    assert wait_for(lambda: any(each.stat().st_size for each in world.folder.glob(shards)), 60)
    begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=60)
    assert begun.returncode == 1
    assert "go on with: export-matrix confirm 1 2" in err
    there = sum(len(each.read_text().splitlines()) for each in world.folder.glob(shards))
    assert there >= 1
    (world.folder / "wait").unlink()
    done = world("confirm", "1", "2")
    assert done.returncode == 0, done.stderr
    # each of three cells three times on two sides, none twice
    assert len(_rows(world.engine())) == 18
    told = [line for line in done.stderr.splitlines() if line.startswith(("head: ", "baseline: "))]
    assert len(told) == 18 - there


def test_where_the_stack_changed_since_a_run_it_is_blamed_with_its_versions(world: World) -> None:
    engine = world.engine()
    with engine.begin() as connection:
        stack = {**reads.run(engine, "1").stack, "numpy": "1.0"}
        connection.execute(update(tables.run).where(tables.run.c.id == 1).values(stack=stack))
    assert world("confirm", "1", "2").returncode == 0
    record = world.diff()
    assert _outcomes(record)["Rots"] == "stack-changed"
    assert _outcomes(record)["Scaled"] == "new"
    rots = next(each for each in record["cells"] if "Rots" in each["cell"])
    assert "numpy 1.0 (here " in rots["confirmation"]["why"]


def test_a_commit_that_is_not_here_is_asked_for_in_one_line(world: World) -> None:
    engine = world.engine()
    for number in (1, 2):
        uid = reads.run(engine, str(number)).uid
        (world.folder / ".export-matrix/runs" / uid).rename(world.folder / uid)
    for home in (world.folder / ".export-matrix/commits").iterdir():
        home.rename(world.folder / home.name)
    done = world("confirm", "1", "2")
    assert done.returncode == 2
    assert "--checkout" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(tables.rerun)))


CELL = Cell.parse("m/M/forward-static/onnx")


def _opened(engine: Engine, started_at: datetime) -> int:
    return writes.open_run(
        engine,
        uid="r1",
        revision="5.23.0",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=started_at,
        cells=[CELL],
    ).id


def _executed(attempt: int) -> Result:
    return Result(
        cell=CELL,
        outcome=Outcome.FAIL,
        stage=Stage.CAPTURE,
        attempt=attempt,
        stack={"torch": "2.14"},
        reason="no\x00thing",
        traceback="ValueError: no such thing",
    )


def test_executions_are_kept_once_labelled_when_read_and_change_no_verdict(engine: Engine) -> None:
    run_id = _opened(engine, datetime.now(UTC))
    for _ in range(2):
        note_reruns(engine, run_id, [_executed(1), _executed(2)])
    found = reruns(engine, run_id, [CELL])[CELL]
    assert sorted(each.attempt for each in found) == [1, 2]
    assert found[0].signature is not None
    assert found[0].stack == {"torch": "2.14"}
    assert found[0].traceback == "ValueError: no such thing"
    assert reads.run(engine, "r1").verdicts == {Verdict.MISSING: 1}


def test_executions_are_pruned_with_their_run(engine: Engine) -> None:
    started = datetime.now(UTC) - timedelta(days=9)
    run_id = _opened(engine, started)
    note_reruns(engine, run_id, [_executed(1)])
    writes.prune(engine, before=started + timedelta(days=1))
    with engine.connect() as connection:
        for table in (tables.rerun, tables.text):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    note_reruns(engine, run_id, [_executed(1)])
    assert _rows(engine) == []
