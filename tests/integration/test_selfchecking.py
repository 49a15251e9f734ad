"""`selfcheck --toys`: the whole way on a dozen toys, its figures kept."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.errors import MatrixError
from runner.core.selfcheck import Figure, Selfcheck
from runner.steps.running import Room
from runner.steps.selfchecking import Selfchecking, toy_world
from runner.store import reads
from runner.store.engine import Engine, open_store
from runner.store.selfchecks import note_selfcheck, selfchecks
from tests.conftest import ROOT


def test_what_is_planted_in_toys_is_told_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner.cli", "selfcheck", "--toys", "--rounds", "2", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # noqa: TID251  (handed on)
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads(done.stdout)
    assert (record["false_alarms"], record["misses"]) == (0, 0)
    assert (record["of_loud"], len(record["figures"])) == (16, 20)
    engine = open_store(f"sqlite:///{tmp_path}/export-matrix.db")
    [kept] = selfchecks(engine)
    assert kept.to_record() == record
    # nothing of it is in anybody's history
    assert reads.runs(engine) == []
    engine.dispose()


def test_figures_come_back_newest_first(engine: Engine) -> None:
    figure = Figure(planted="NaN", loud=1, quiet=2, misses=("a: still-passing",))
    made = [
        Selfcheck(
            revision=revision,
            stack={"torch": "2.13"},
            ended_at=datetime(2026, 11, 25, tzinfo=UTC),
            figures=(figure,),
        )
        for revision in ("5.22.2", "5.23.0")
    ]
    for each in made:
        note_selfcheck(engine, each)
    assert selfchecks(engine) == made[::-1]
    client = TestClient(create_app(engine))
    twin = client.get("/detector.json").json()["checks"]
    assert [(each["selfcheck"]["revision"], each["passed"]) for each in twin] == [
        ("5.23.0", False),
        ("5.22.2", False),
    ]
    page = client.get("/detector").text
    assert "0 false alarms in 2 cells, 1 miss in 1 planted ones (5.23.0)" in page
    assert "a: still-passing" in page


def test_a_tree_without_the_places_is_refused_before_anything_runs(
    engine: Engine, tmp_path: Path
) -> None:
    world = toy_world(tmp_path)
    (world.package / "toys.py").write_text("__all__ = []\n")
    check = Selfchecking(world=world, folder=tmp_path / "s", limits=(), room=Room())
    with pytest.raises(MatrixError, match="not written for this revision"):
        check.run(engine)
    assert list(tmp_path.glob("s/*/runs")) == []
