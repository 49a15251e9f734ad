"""Known failures from end to end: files, a checkout's skip lists, `known`, `diff` and the pages."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.label import label
from runner.core.record import record_of
from runner.core.render import as_markdown, as_text
from runner.settings import settings
from runner.steps.comparing import compare_runs
from runner.store import writes
from runner.store.engine import Engine, ensure

Cli = Callable[..., subprocess.CompletedProcess[str]]
TOY = ["--zoo", "tests.toyzoo", "--backend", "toy"]
HOSTILE = "<script>alert(1)</script>"


def _row(cells: str, **given: str) -> str:
    dates = {"added_on": "2026-01-01", "expires_on": "2999-01-01"}
    fields = {"cells": cells, "reason": "known", "link": "https://example.org/1"} | given
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items() if key not in dates]
    lines += [f"{key} = {given.get(key, value)}" for key, value in dates.items()]
    return "\n".join(["[[known]]", *lines, ""])


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `export-matrix` in an empty folder."""
    variables = os.environ | {  # noqa: TID251  (handed on)
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "COLUMNS": "200",
    }

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runner.cli", *arguments],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def _checkout(folder: Path, skips: str) -> str:
    """A clone with a skip list, and its commit."""
    for part in ("tests/exporters", "tests/models/toy", "src/transformers/models/toy"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / "__init__.py").touch()
    (folder / "tests/exporters/test_export.py").write_text(skips)
    (folder / "tests/models/toy/test_modeling_toy.py").write_text(
        "class PassesTest(ModelTesterMixin):\n"
        "    all_model_classes = (Passes,)\n"
        "    test_torch_exportable = False  # data-dependent\n"
    )
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "skips"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    found = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


def test_a_run_is_judged_by_a_file_and_by_a_checkouts_skip_lists(cli: Cli, tmp_path: Path) -> None:
    ran = cli("run", "toy/Passes/*", "toy/DriftsNumerically/*", *TOY, "--json")
    assert ran.returncode == 0, ran.stderr
    file = tmp_path / "mine.toml"
    file.write_text(_row("toy/DriftsNumerically/*", stage="compare") + _row("toy/Passes/*-static"))
    commit = _checkout(tmp_path / "clone", "EXPORT_SKIPS = {'dynamic': {'Passes': 'slow'}}\n")
    asked = ["known", "--known", "mine.toml", "--skips", "clone@HEAD"]
    told = cli(*asked)
    assert told.returncode == 0, told.stderr
    assert "2 entries in files, 2 upstream" in told.stdout
    assert "  mine.toml:8-13  remove this entry\n" in told.stdout
    once = "remove this entry once these pass too: upstream's own cases (--provider testers)\n"
    assert f"  tests/exporters/test_export.py:1  {once}" in told.stdout
    assert f"  tests/models/toy/test_modeling_toy.py:3  {once}" in told.stdout
    assert "toy/Passes/forward-dynamic/toy  passes" in told.stdout
    assert "4 entries mean 4 of 4 cells" in told.stdout
    record = json.loads(cli(*asked, "--json").stdout)
    assert record["skips_from"] == commit[:12]
    assert record["counts"] == {"better": 2, "as-expected": 2}
    assert record["entry_counts"] == {"as-expected": 1, "stale": 1, "passing": 2}
    assert record["stale"] == [entry["place"] for entry in record["entries"][1:2]]
    assert cli(*asked, "--fail-on", "stale").returncode == 3
    assert cli(*asked, "--fail-on", "worse").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--known", "mine.toml"], "mine.toml:1: unknown stage 'compar'; did you mean 'compare'?"),
        (["--known", "nowhere.toml"], "nowhere.toml: No such file"),
        (["--skips", "clone"], "--skips 'clone' is no commit"),
        (["--skips", "clone@main"], "'clone' is no folder"),
        (["99"], "no run '99'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    cli: Cli, tmp_path: Path, arguments: list[str], says: str
) -> None:
    _open(f"sqlite:///{tmp_path}/export-matrix.db").dispose()
    (tmp_path / "mine.toml").write_text(_row("toy/Passes/*", stage="compar"))
    told = cli("known", *arguments)
    assert (told.returncode, told.stdout) == (2, "")
    assert says in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_without_a_complete_run_it_says_what_to_do(cli: Cli) -> None:
    cli("db", "upgrade")
    told = cli("known")
    assert (told.returncode, "export-matrix run" in told.stderr) == (2, True)


# ── a history of commits: skip lists lie in their folders ───────────────────────────────────────
OLD, NEW = "a" * 12, "b" * 12
CELLS = {name: Cell.parse(f"toy/{name}/forward-static/onnx") for name in "ABCDEF"}
BEFORE = {"A": "pass", "B": "pass", "C": "fail", "D": "fail", "E": "fail", "F": "pass"}
AFTER = {"A": "fail", "B": "fail", "C": "pass", "D": "crash", "E": "fail", "F": "fail"}
SKIPS = "EXPORT_SKIPS = {'all': {\n    'A': 'known to upstream',\n    %s}}\n"


def _open(url: str) -> Engine:
    engine = ensure(url)
    for number, (revision, outcomes) in enumerate([(OLD, BEFORE), (NEW, AFTER)]):
        uid = f"run-{number}"
        started = datetime(2026, 11, 1 + number, tzinfo=UTC)
        writes.open_run(
            engine,
            uid=uid,
            revision=revision,
            stack={},
            selection="all",
            started_at=started,
            cells=CELLS.values(),
        )
        results = (_result(uid, revision, CELLS[name], each) for name, each in outcomes.items())
        writes.ingest_results(engine, [label(result) for result in results])
        writes.close_run(engine, uid, closed_at=started, duration_s=1.0)
    return engine


def _result(uid: str, revision: str, cell: Cell, outcome: str) -> Result:
    stage = None if outcome == "pass" else Stage.LOWER
    trace = f"RuntimeError: {cell.model_class} {HOSTILE}" if outcome == "fail" else None
    return Result(
        cell=cell,
        outcome=Outcome(outcome),
        run=uid,
        revision=revision,
        stage=stage,
        traceback=trace,
        provider="transformers",
    )


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Two runs at commits with their skip lists, and a file of the user's own."""
    for commit, added in ((OLD, ""), (NEW, "'F': 'hidden by the change itself',\n")):
        file = tmp_path / "commits" / commit.ljust(40, "0") / "tests/exporters/test_export.py"
        file.parent.mkdir(parents=True)
        file.write_text(SKIPS % added)
    mine = tmp_path / "mine.toml"
    mine.write_text(
        _row("toy/C/*", reason=HOSTILE)
        + _row("toy/D/*", stage="lower")
        + _row("toy/E/*", expires_on="2026-01-02")
        + _row("gone/*")
    )
    monkeypatch.setenv("EXPORT_MATRIX_FOLDER", str(tmp_path))
    monkeypatch.setenv("EXPORT_MATRIX_KNOWN_FAILURES", str(mine))
    settings.cache_clear()
    engine = _open(f"sqlite:///{tmp_path}/export-matrix.db")
    yield engine
    engine.dispose()
    settings.cache_clear()


def test_a_diff_tells_known_failures_apart(history: Engine) -> None:
    text = as_text(compare_runs(history, "1", "2"))
    assert text.splitlines()[2] == "❌ 2 exports lost"
    assert "3 regressed, 1 of them as known failures say" in text
    regressed, _, known = text.partition("worse than known failures say")
    assert "toy/B/forward-static/onnx" in regressed
    assert "toy/F/forward-static/onnx" in regressed
    assert "toy/A/forward-static/onnx" not in regressed
    assert "test_export.py:2  known to upstream\n    ✅ ⟹ ❌  toy/A/forward-static/onnx" in known
    assert "1 better than known failures say" in known
    assert "mine.toml:1-6  remove this entry once these pass too" in known
    assert "1 skips that the head adds to its own list" in known


def test_a_diffs_markdown_and_json_tell_the_same(history: Engine) -> None:
    found = compare_runs(history, "1", "2")
    told = as_markdown(found)
    assert "#### 1 known failures, as expected" in told
    assert "`toy/A/forward-static/onnx` (✅ ⟹ ❌)" in told
    record = json.loads(json.dumps(record_of(found), default=str))
    assert record["counts"]["regressed"] == 3
    counts = {"worse": 1, "expired": 1, "better": 1, "as-expected": 1}
    assert record["known"]["counts"] == counts
    assert record["known"]["excused"] == {"regressed": 1}
    assert [row["cells"] for row in record["known"]["added_skips"]] == ["*/F/*/*"]
    assert [cell["known"] and cell["known"]["standing"] for cell in record["cells"]] == [
        "as-expected", None, "better", "worse", "expired", None,
    ]  # fmt: skip


def test_fail_on_does_not_match_what_is_known(history: Engine, cli: Cli, tmp_path: Path) -> None:
    assert compare_runs(history, "1", "2").losses == 2
    assert cli("diff", "1", "2", "--fail-on", "regressed").returncode == 3
    mine = tmp_path / "mine.toml"
    mine.write_text(_row("class:B") + _row("class:F"))
    told = cli("diff", "1", "2", "--fail-on", "regressed")
    assert told.returncode == 0
    assert "✅ no export lost but 3 that are known" in told.stdout


def test_the_pages_tell_what_is_known_and_what_to_remove(history: Engine) -> None:
    with TestClient(create_app(history)) as client:
        page = client.get("/known").text
        record = client.get("/known.json").json()
        run = client.get("/runs/2").text
        diff = client.get("/diff/1/2").text
        cell = client.get("/cells/toy/D/forward-static/onnx").text
    assert HOSTILE not in page + diff
    assert "mine.toml:20-25" in page
    assert "tests/exporters/test_export.py:2" in page
    assert record["counts"] == {"worse": 1, "expired": 1, "better": 1, "as-expected": 2}
    sections = {each["standing"]: len(each["entries"]) for each in record["sections"]}
    assert sections == {"unmatched": 1, "passing": 1, "worse": 1, "expired": 1, "as-expected": 2}
    debt = [
        (row["run"]["id"], row["entries"], row["cells"], row["better"]) for row in record["debt"]
    ]
    assert debt == [(2, 5, 5, 1), (1, 4, 4, 1)]
    assert "worse (crash instead of fail): <code>" in cell
    assert "/known?run=2" in run
    assert "<strong>1</strong> cell worse" in run
    assert "1 of them as known failures say" in diff
    assert "hidden by the change itself" in diff
    assert "crash instead of fail" in diff


def test_a_file_that_is_wrong_is_told_by_the_page(history: Engine, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(_row("toy/C/*", stage="lowr"))
    with TestClient(create_app(history)) as client:
        page = client.get("/known")
    assert page.status_code == 500
    assert "did you mean &#39;lower&#39;" in page.text
