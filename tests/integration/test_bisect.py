"""`bisect` over the commits of a small Transformers, on a toy whose fate a commit decides."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.cells import Cell
from runner.core.bisect import Bisected
from runner.store import reads
from runner.store.bisects import bisects, note_bisect
from runner.store.engine import Engine, ensure
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
        while WAIT.exists():
            time.sleep(0.05)
        return x * FACTOR
"""
CELL = "toy/Scaled/forward-static/toy"
#: what each commit makes of the factor; None does not import
HISTORY = ["2", "2", "1 / 0", "2", "5", "5", "5"]


@dataclass(frozen=True)
class Bisect:
    """The command, between two tags of a checkout."""

    checkout: Path
    folder: Path

    def start(self, good: str, bad: str, *more: str) -> subprocess.Popen[str]:
        ends = ["--good", f"{self.checkout}@{good}", "--bad", f"{self.checkout}@{bad}"]
        return subprocess.Popen(
            [sys.executable, "-m", "runner.cli", "bisect", CELL, *ends, "--zoo", "mine", *more],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251  (handed on)
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, good: str, bad: str, *more: str) -> subprocess.CompletedProcess[str]:
        begun = self.start(good, bad, *more)
        out, err = begun.communicate(timeout=300)
        return subprocess.CompletedProcess([], begun.returncode, out, err)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    files = FILES | {"setup.py": "install_requires = []\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    for number, factor in enumerate(HISTORY):
        (folder / "src/transformers/factor.py").write_text(f"FACTOR = {factor}  # {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", f"factor {number}")
        git(folder, "tag", f"v{number}")
    return folder


@pytest.fixture
def bisect(checkout: Path, tmp_path: Path) -> Bisect:
    (tmp_path / "mine.py").write_text(f"{ZOO}\nWAIT = Path({str(tmp_path / 'wait')!r})\n")
    return Bisect(checkout=checkout, folder=tmp_path)


def test_the_first_bad_commit_is_told_with_its_log_line_and_what_is_known_is_not_asked_again(
    bisect: Bisect, tmp_path: Path
) -> None:
    done = bisect("v0", "v6")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("A: factor 4")
    runs = sorted((tmp_path / ".export-matrix/runs").iterdir())
    again = bisect("v0", "v6", "--json")
    assert json.loads(again.stdout)["certain"]
    assert sorted((tmp_path / ".export-matrix/runs").iterdir()) == runs
    engine = ensure(f"sqlite:///{tmp_path}/export-matrix.db")
    client = TestClient(create_app(engine))
    (kept,) = client.get(f"/cells/{CELL}.json").json()["bisects"]
    assert kept["told"][0].endswith("A: factor 4")
    page = client.get(f"/cells/{CELL}").text
    assert "A: factor 4" in page
    assert f"between {kept['good']} and {kept['bad']}" in page
    engine.dispose()


def test_a_commit_that_does_not_import_is_stepped_over(bisect: Bisect) -> None:
    done = bisect("v0", "v4")
    assert done.returncode == 0, done.stderr
    assert "skip" in done.stderr
    assert done.stdout.splitlines()[0].endswith("A: factor 4")


def test_a_bisect_that_was_killed_goes_on_with_the_probe_that_it_was_at(
    bisect: Bisect, tmp_path: Path
) -> None:
    (tmp_path / "wait").touch()
    begun = bisect.start("v0", "v6")
    assert wait_for(lambda: list(tmp_path.glob(".export-matrix/runs/*/shards/*.jsonl")), 60)
    begun.kill()
    begun.communicate()
    (probe,) = (tmp_path / ".export-matrix/runs").iterdir()
    (tmp_path / "wait").unlink()
    done = bisect("v0", "v6")
    assert done.returncode == 0, done.stderr
    engine = ensure(f"sqlite:///{tmp_path}/export-matrix.db")
    runs = reads.runs(engine)
    engine.dispose()
    assert probe.name in {run.uid for run in runs}
    assert all(run.complete for run in runs)


def test_ends_that_are_not_as_said_are_refused_in_one_line(bisect: Bisect) -> None:
    done = bisect("v4", "v6")
    assert done.returncode == 2
    assert "is not good" in done.stderr
    assert len(done.stderr.splitlines()) == 1


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FOUND = Bisected(
    cell=Cell.parse(CELL),
    good="aaa",
    bad="bbb",
    stack={"torch": "2.13"},
    names=("abc",),
    told=("abc 2026-11-20 A: Use the other branch",),
    title="ValueError: no",
    ended_at=NOW,
)


def test_a_finding_is_kept_once_and_the_last_between_the_same_ends_counts(engine: Engine) -> None:
    note_bisect(engine, FOUND)
    note_bisect(engine, replace(FOUND, ended_at=NOW + timedelta(days=1)))
    assert bisects(engine, FOUND.cell) == [FOUND]
    later = replace(FOUND, names=("abd",), told=("abd",), ended_at=NOW + timedelta(days=2))
    other = replace(FOUND, stack={"torch": "2.14"}, ended_at=NOW + timedelta(days=3))
    note_bisect(engine, later)
    note_bisect(engine, other)
    assert bisects(engine, FOUND.cell) == [other, later]
