"""The baseline that is chosen: from git where a clone has the commit, else from the database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cells import Cell
from harness.errors import RevisionError, SelectionError
from harness.results import Outcome, Result
from runner.core.runs import Run
from runner.settings import settings
from runner.steps.baselines import baseline_of, required_baseline
from runner.store import reads, writes
from runner.store.engine import Engine
from tests.unit.test_revisions_commits import git

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", ".")
    for name in ("one", "two", "three"):
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", name)
    return tmp_path


@pytest.fixture
def usual_clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The clone that the settings name."""
    monkeypatch.setenv("EXPORT_MATRIX_CHECKOUT", str(clone))
    settings.cache_clear()
    yield clone
    settings.cache_clear()


def _sha(clone: Path, name: str) -> str:
    return git(clone, "rev-parse", name)[:12]


def _run(engine: Engine, revision: str, *, branch: str | None = None) -> Run:
    uid = f"{revision}-run"
    writes.open_run(
        engine,
        uid=uid,
        revision=revision,
        branch=branch,
        stack={},
        selection="all",
        started_at=NOW,
        cells=[CELL],
    )
    result = Result(cell=CELL, outcome=Outcome.PASS, run=uid, revision=revision)
    writes.ingest_results(engine, [result])
    return writes.close_run(engine, uid, closed_at=NOW, duration_s=1.0)


def test_the_commit_before_it_comes_before_a_later_nightly(engine: Engine, clone: Path) -> None:
    ancestor = _run(engine, _sha(clone, "HEAD~2"))
    _run(engine, "5.22.2")
    head = _run(engine, _sha(clone, "HEAD"))
    found = required_baseline(engine, head, checkout=clone)
    assert found.run.id == ancestor.id
    assert found.why.endswith("2 commits before it on main")


def test_a_clone_that_lacks_the_commit_is_refused_where_it_was_named(
    engine: Engine, clone: Path
) -> None:
    head = _run(engine, "0123456789ab")
    with pytest.raises(RevisionError, match="no commit or branch '0123456789ab'"):
        baseline_of(engine, head, checkout=clone)


def test_a_usual_clone_that_lacks_the_commit_is_told_of_with_the_last_run(
    engine: Engine, usual_clone: Path
) -> None:
    last = _run(engine, _sha(usual_clone, "HEAD"))
    found = required_baseline(engine, _run(engine, "0123456789ab"))
    assert found.run.id == last.id
    assert "its merge base is not known" in found.why


def test_what_changed_is_told_since_the_last_run_of_the_branch(engine: Engine) -> None:
    first = _run(engine, "a" * 12, branch="main")
    other = _run(engine, "b" * 12, branch="v5")
    assert reads.previous_complete(engine, other) == first
    head = _run(engine, "c" * 12, branch="main")
    assert reads.previous_complete(engine, head) == first
    assert required_baseline(engine, head).run == first


def test_a_first_run_has_nothing_to_be_compared_with(engine: Engine) -> None:
    with pytest.raises(SelectionError, match="no complete run of another revision"):
        required_baseline(engine, _run(engine, "5.23.0"))
