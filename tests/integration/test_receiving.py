"""Result files that were made where code of others ran, and the commands that tell them."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cells import Cell
from harness.errors import MatrixError, RecordError
from harness.results import Outcome, Result
from runner.cli import app
from runner.core.runs import Verdict
from runner.steps.planfiles import expect, write_plan
from runner.steps.plans import Plan
from runner.steps.receiving import receive_file
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.seed import seed

CELLS = tuple(Cell.parse(f"m/M{n}/forward-static/onnx") for n in range(3))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = ensure(f"sqlite:///{tmp_path}/matrix.db")
    yield made
    made.dispose()


@pytest.fixture
def plan(tmp_path: Path, engine: Engine) -> Plan:
    made = Plan(
        uid="pr7",
        folder=tmp_path / "runs/pr7",
        revision="abc",
        revision_path=None,
        stack={"torch": "2.13"},
        selection="m",
        started_at=datetime.now(UTC),
        cells=CELLS,
        skips={},
        share=CELLS,
    )
    expect(engine, made)
    return made


def _line(cell: Cell, run: str = "pr7", attempt: int = 1) -> bytes:
    found = Result(cell=cell, outcome=Outcome.PASS, run=run, attempt=attempt, revision="abc")
    return found.to_line().encode() + b"\n"


def test_only_what_the_plan_expects_is_taken(engine: Engine, plan: Plan, tmp_path: Path) -> None:
    other = Cell.parse("n/N/forward-static/onnx")
    lines = [
        _line(CELLS[0]),
        _line(CELLS[0]),
        _line(CELLS[1], run="nightly"),
        _line(other),
        _line(CELLS[1], attempt=99),
        b"\xff\xfe\x00 half a line",
    ]
    (tmp_path / "r.jsonl").write_bytes(b"".join(lines))
    received = receive_file(engine, tmp_path / "r.jsonl", plan)
    assert received.ingested.new == 1
    assert sum(received.refused.values()) == 5
    assert [run.uid for run in reads.runs(engine)] == ["pr7"]
    assert reads.run(engine, "pr7").verdicts == {Verdict.PASS: 1, Verdict.MISSING: 2}


def test_a_file_that_is_no_plain_file_or_too_large_is_refused(
    engine: Engine, plan: Plan, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("key")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe.jsonl")
    with (tmp_path / "large.jsonl").open("wb") as large:
        large.truncate(10**9)
    for name in ("link.jsonl", "pipe.jsonl", "large.jsonl", "absent.jsonl"):
        with pytest.raises(RecordError, match=name):
            receive_file(engine, tmp_path / name, plan)


# ── the commands ────────────────────────────────────────────────────────────────────────────────
def _cli(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    if isinstance(done.exception, MatrixError):
        raise done.exception
    return done.exit_code, done.stdout


def test_ingest_checked_tells_what_it_leaves_out(plan: Plan, tmp_path: Path) -> None:
    write_plan(plan, tmp_path / "plan.json")
    (tmp_path / "r.jsonl").write_bytes(_line(CELLS[0]) + _line(CELLS[1], run="nightly"))
    files = [str(tmp_path / "plan.json"), str(tmp_path / "r.jsonl")]
    database = f"sqlite:///{tmp_path}/other.db"
    code, told = _cli("ingest", *files, "--checked", "--json", "--database", database)
    assert code == 1  # two cells are missing
    assert json.loads(told)[0]["refused"] == {"of another run": 1}
    with pytest.raises(MatrixError, match="--checked needs the plan"):
        _cli("ingest", files[1], "--checked", "--database", database)


def test_bot_report_prints_comment_or_json_and_posts_nothing_when_dry(
    engine: Engine, tmp_path: Path
) -> None:
    seed(engine)
    commits = ",".join(letter * 40 for letter in "abc")
    given = ["--baseline", "1", "--head", "2", "--commits", commits, "--dry-run"]
    database = ["--database", f"sqlite:///{tmp_path}/matrix.db"]
    code, text = _cli("bot", "report", "7", *given, *database)
    assert code == 0
    assert text.startswith("<!-- export-matrix:report -->\n## CI Results")
    assert "| PR | `bbbbbbbb` | branch commit (from PR) |" in text
    code, told = _cli("bot", "report", "7", "--dry-run", "--json", *database)
    assert json.loads(told)["commits"]["head"] == "b" * 40


def test_what_is_not_set_is_told_in_one_line(engine: Engine, tmp_path: Path) -> None:
    seed(engine)
    commits = ",".join(letter * 40 for letter in "abc")
    given = ["--baseline", "1", "--head", "2", "--commits", commits]
    with pytest.raises(MatrixError, match="EXPORT_MATRIX_REPOSITORY"):
        _cli("bot", "report", "7", *given, "--database", f"sqlite:///{tmp_path}/matrix.db")
