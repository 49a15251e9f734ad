"""`bisect` over the commits of a small Transformers, on a toy whose fate a commit decides."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.test_revisions_commits import FILES, git

ZOO = """
from tests.toyzoo import zoo
from tests.toyzoo.toys import Toy


class Scaled(Toy):
    def run(self, x):
        from transformers.factor import FACTOR
        return x * FACTOR
"""
CELL = "toy/Scaled/forward-static/toy"
#: what each commit makes of the factor; None does not import
HISTORY = ["2", "2", "1 / 0", "2", "5", "5", "5"]
Bisect = Callable[..., subprocess.CompletedProcess[str]]


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
    (tmp_path / "mine.py").write_text(ZOO)

    def call(good: str, bad: str, *more: str) -> subprocess.CompletedProcess[str]:
        ends = ["--good", f"{checkout}@{good}", "--bad", f"{checkout}@{bad}"]
        return subprocess.run(
            [sys.executable, "-m", "runner.cli", "bisect", CELL, *ends, "--zoo", "mine", *more],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},  # noqa: TID251  (handed on)
            capture_output=True,
            text=True,
            check=False,
        )

    return call


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


def test_ends_that_are_not_as_said_are_refused_in_one_line(bisect: Bisect) -> None:
    done = bisect("v4", "v6")
    assert done.returncode == 2
    assert "is not good" in done.stderr
    assert len(done.stderr.splitlines()) == 1
