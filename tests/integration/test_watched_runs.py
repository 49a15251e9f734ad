"""How a run goes, seen from outside while it goes: on the pages, in lines, after a kill."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.cells import Cell
from harness.isolation.messages import started_now
from harness.results import Outcome, Result, Stage
from runner.core.progress import in_a_line
from runner.core.runs import Progress, Run, RunningCell, Verdict
from runner.store import reads, writes
from runner.store.engine import Engine, ensure
from tests.conftest import ROOT, Matrix, toys, wait_for

CELLS = [Cell.parse(cell) for cell in toys("Passes", "Sleeps")]
SLOW = CELLS[1]


def opened(engine: Engine) -> Run:
    return writes.open_run(
        engine,
        uid="r1",
        revision="5.23.0",
        stack={},
        selection="smoke",
        started_at=datetime.now(UTC),
        cells=CELLS,
    )


def told(*, silent_s: float = 0, going: bool = True, done: int = 1) -> Progress:
    running = RunningCell(cell=SLOW.id, attempt=1, stage=Stage.LOWER, seconds=75.0)
    return Progress(
        done=done,
        expected=2,
        verdicts={Verdict.PASS: 1},
        per_minute=12.5,
        eta_s=250.0,
        running=(running,),
        at=datetime.now(UTC) - timedelta(seconds=silent_s),
        going=going,
    )


def test_each_machine_keeps_its_own_and_nothing_is_left_of_a_closed_run(engine: Engine) -> None:
    opened(engine)
    first, other = told(), told(done=2)
    writes.note_progress(engine, "r1", "here", told(done=0))
    writes.note_progress(engine, "r1", "here", first)
    writes.note_progress(engine, "r1", "there", other)
    assert reads.run(engine, "r1").progress == (first, other)
    closed = writes.close_run(engine, "r1", closed_at=datetime.now(UTC), duration_s=1.0)
    assert closed.progress == ()


Page = Callable[[str], str]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path}/matrix.db")
    opened(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def page(stored: Engine) -> Page:
    client = TestClient(create_app(stored))
    return lambda path: client.get(path).text


def test_a_run_page_tells_how_it_goes_and_asks_again_by_itself(stored: Engine, page: Page) -> None:
    writes.note_progress(stored, "r1", "here", told())
    shown = page("/runs/1")
    assert "1 of 2 cells done, 12.5 cells a minute, about 4 min left" in shown
    assert SLOW.id in shown
    assert 'http-equiv="refresh"' in shown
    assert 'http-equiv="refresh"' not in page("/runs/1?hold=true")
    found = json.loads(page("/runs/1.json"))["run"]
    assert found["state"] == "running"
    assert found["progress"]["running"][0]["stage"] == "lower"
    assert found["progress"]["eta_s"] == 250.0
    for path in ("/runs", "/"):
        assert "running: 1 of 2" in page(path)


def test_a_run_whose_suspects_are_still_to_be_retried_is_not_settled(
    stored: Engine, page: Page
) -> None:
    died = [
        Result(cell=CELLS[0], outcome=Outcome.PASS, run="r1", stack={}),
        Result(cell=SLOW, outcome=Outcome.TIMEOUT, stage=Stage.LOWER, run="r1", stack={}),
    ]
    writes.ingest_results(stored, died)
    assert not json.loads(page("/runs/1.json"))["run"]["complete"]
    for path in ("/runs", "/runs/1"):
        assert "not settled: 2 of 2, suspects are to be retried" in page(path)
    writes.close_run(stored, "r1", closed_at=datetime.now(UTC), duration_s=1.0)
    assert json.loads(page("/runs/1.json"))["run"]["complete"]
    assert "not settled" not in page("/runs/1")


def test_a_run_that_compares_with_cold_processes_tells_how_far_it_is(
    stored: Engine, page: Page
) -> None:
    comparing = dataclasses.replace(told(done=2), running=(), canary=(3, 20))
    writes.note_progress(stored, "r1", "here", comparing)
    assert "canary: 3 of 20 cells compared with cold processes" in page("/runs/1")
    assert "canary: 3 of 20" in in_a_line(comparing)


@pytest.mark.parametrize("last", [told(silent_s=720), told(going=False)], ids=["killed", "ended"])
def test_a_run_that_nobody_works_on_says_how_to_go_on(
    stored: Engine, page: Page, last: Progress
) -> None:
    writes.note_progress(stored, "r1", "here", last)
    shown = page("/runs/1")
    assert "export-matrix run --resume r1" in shown
    assert 'http-equiv="refresh"' not in shown
    assert "running: " not in page("/runs")
    assert "stopped, " in page("/runs")


def test_the_zygote_tells_which_cell_runs_in_which_stage(matrix: Matrix) -> None:
    matrix.write(toys("Passes", "Sleeps"))
    notice = matrix.folder / "now"
    pytest_ = matrix.start("-n2", "--dist=worksteal", f"--matrix-notice={notice}")
    assert wait_for(
        lambda: [(each.cell, each.stage) for each in started_now(notice)] == [(SLOW, Stage.LOWER)]
    )
    pytest_.terminate()
    pytest_.communicate()


def variables() -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}  # noqa: TID251  (handed on)


def test_a_killed_run_has_told_what_it_did_and_what_ran(tmp_path: Path) -> None:
    asked = ["toy/Passes/*", "toy/Sleeps/*", "--zoo", "tests.toyzoo", "--backend", "toy"]
    url = f"sqlite:///{tmp_path}/export-matrix.db"
    run = subprocess.Popen(
        [sys.executable, "-m", "runner.cli", "run", *asked, "-v", "forward-static", "-n1"],
        cwd=tmp_path,
        env=variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

    def progress() -> tuple[Progress, ...]:
        engine = ensure(url)
        found = reads.runs(engine, limit=1)
        engine.dispose()
        return found[0].progress if found else ()

    def seen() -> bool:
        return any(each.done == 1 and each.running for each in progress())

    assert wait_for(seen, 60)
    run.kill()
    run.communicate()
    (last,) = progress()
    assert last.going
    assert last.running[0].cell == SLOW.id
    engine = ensure(url)
    assert reads.run(engine, "1").received == last.done == 1
    engine.dispose()
