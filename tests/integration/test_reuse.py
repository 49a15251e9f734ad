"""What a second run carries over, on a zoo whose sources change between runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ZOO = """
from tests.toyzoo import zoo
import mine.models
"""
MODELS = '''
from pathlib import Path

from tests.toyzoo.toys import Toy


class Doubles(Toy):
    def forward(self, x):
        return twice(x)


class Halves(Toy):
    def forward(self, x):
        return x / 2


class Wrong(Toy):
    def run(self, x):
        return x * FACTOR


class Reads(Toy):
    """Depends on a file that is no source."""

    def forward(self, x):
        return x * 2

    def run(self, x):
        return x * float(Path(__file__).with_name("factor.txt").read_text())


class Gives(Toy):
    def capture(self, dynamic):
        import os
        os.abort()


FACTOR = 5


def twice(x):
    return x * 2
'''
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The file with the models, of a zoo in a folder of its own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(ZOO)
    (tmp_path / "mine" / "factor.txt").write_text("2")
    file = tmp_path / "mine" / "models.py"
    file.write_text(MODELS)
    return file


@pytest.fixture
def run(models: Path, tmp_path: Path) -> Run:
    """Runs model classes, and gives `run --json` with the cells that were really executed."""

    def call(*names: str, options: tuple[str, ...] = ("--audit", "0")) -> dict[str, Any]:
        words = [f"toy/{name}/*" for name in names or ("Doubles", "Halves", "Wrong")]
        command = [sys.executable, "-m", "runner.cli", "run", *words, "--zoo", "mine"]
        command += ["--backend", "toy", "--variant", "forward-static", "--json", *options]
        root = str(Path(__file__).parents[2])
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": root},  # noqa: TID251  (handed on)
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        record: dict[str, Any] = json.loads(done.stdout)
        cells = (tmp_path / ".export-matrix/runs" / record["run"] / "shards").glob("*.cells")
        executed = {line.split("/")[1] for file in cells for line in file.read_text().splitlines()}
        return {**record, "executed": executed}

    return call


def test_only_what_a_change_can_reach_runs_again(run: Run, models: Path, tmp_path: Path) -> None:
    first, second = run(), run()
    assert first["executed"] == {"Doubles", "Halves", "Wrong"}
    assert second["executed"] == set()
    assert second["outcomes"] == first["outcomes"] == {"pass": 2, "fail": 1}
    assert second["audit"]["carried"] == second["received"] == 3
    models.write_text(MODELS.replace("def twice(x):", "# twice, no less\ndef twice(x):"))
    third = run()
    assert third["executed"] == set()
    carried = tmp_path / ".export-matrix/runs" / third["run"] / "shards/carried.jsonl"
    lines = carried.read_text().splitlines()
    assert {json.loads(line)["carried_from"] for line in lines} == {first["run"]}
    models.write_text(MODELS[: MODELS.rindex("x * 2")] + "2 * x\n")
    assert run()["executed"] == {"Doubles"}


def test_a_failure_is_carried_until_what_it_depends_on_changes(run: Run, models: Path) -> None:
    assert run("Wrong")["outcomes"] == {"fail": 1}
    models.write_text(MODELS.replace("FACTOR = 5", "FACTOR = 2"))
    assert run("Wrong")["outcomes"] == {"pass": 1}
    models.write_text(MODELS)
    again = run("Wrong")
    assert again["outcomes"] == {"fail": 1}
    assert again["executed"] == set()


def test_a_crash_is_never_carried_and_no_reuse_runs_everything(run: Run) -> None:
    assert run("Gives", "Doubles")["outcomes"] == {"crash": 1, "pass": 1}
    assert run("Gives", "Doubles")["executed"] == {"Gives"}
    assert run("Doubles", options=("--no-reuse",))["executed"] == {"Doubles"}


def test_what_ran_without_reuse_is_carried_by_the_next_run(run: Run) -> None:
    assert run("Doubles", options=("--no-reuse",))["audit"] is None
    assert run("Doubles")["executed"] == set()


def test_an_audit_finds_what_a_fingerprint_does_not_see(run: Run, models: Path) -> None:
    run("Reads", "Doubles")
    models.with_name("factor.txt").write_text("3")
    assert run("Reads")["outcomes"] == {"pass": 1}
    audited = run("Reads", "Doubles", options=("--audit", "100"))
    assert audited["executed"] == {"Reads", "Doubles"}
    assert audited["outcomes"] == {"pass": 1, "fail": 1}
    assert audited["audit"] == {
        "carried": 0,
        "audited": 2,
        "missed": ["toy/Reads/forward-static/toy"],
    }
