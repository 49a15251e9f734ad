"""The stand-alone script of a cell shows, without this project, what the cell shows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.isolation.endings import Cause
from harness.isolation.messages import Limits
from harness.reproduce.alone import run_alone
from harness.zoo.base import load_zoo


def _script(cell: str, path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner.cli", "reproduce", cell, "--output", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _run_alone(path: Path) -> subprocess.CompletedProcess[str]:
    """In an interpreter whose working folder and path know nothing of this project."""
    guard = f"import sys, runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # noqa: TID251  (handed on)
    return subprocess.run(
        [sys.executable, "-I", "-c", guard],
        cwd=path.parent,
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("cell", "code", "says"),
    [
        ("bert/BertModel/forward-dynamic/onnx", 0, "0 beyond tolerance"),
        ("mamba/MambaForCausalLM/forward-dynamic/dynamo", 1, "Guard failed"),
    ],
)
def test_the_script_shows_what_the_cell_shows(
    tmp_path: Path, cell: str, code: int, says: str
) -> None:
    path = tmp_path / "show.py"
    _script(cell, path)
    assert "harness" not in path.read_text()
    done = _run_alone(path)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["resnet/ResNetModel", "mimi/MimiModel"])
def test_the_script_makes_the_very_weights_of_the_cell(name: str, tmp_path: Path) -> None:
    """Batch norms with their statistics, and codebooks."""
    path = tmp_path / "show.py"
    _script(f"{name}/forward-static/onnx", path)
    scope: dict[str, Any] = {}
    exec(compile(path.read_text().removesuffix("main()\n"), path, "exec"), scope)
    made = scope["make_model"]().state_dict()
    wanted = load_zoo().build(*name.split("/")).model.state_dict()
    assert made.keys() == wanted.keys()
    assert [key for key in made if not made[key].equal(wanted[key])] == []


def test_a_cell_that_can_not_be_built_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner.cli", "reproduce", "bert/BertModle/forward-static/onnx"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "'bert/BertModel'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_minimal_script_of_a_cell_is_proven_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "runner.cli", "reproduce", "--minimal", "--json"),
            *("dbrx/DbrxForCausalLM/forward-static/onnx", "-o", str(tmp_path / "made")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["same"]
    assert found["kind"] == found["shown"]["kind"] == "data-dependent-guard"
    assert found["lines"] <= 60
    assert "torch.export.export(module" in found["script"]
    assert ".ffn.experts" in found["script"]
    again = _run_alone(tmp_path / "made" / "reproduce.py")
    assert "GuardOnDataDependentSymNode" in again.stderr
    assert found["script"] in (tmp_path / "made" / "issue.md").read_text()


def test_a_script_alone_sees_no_secret_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "sesame")
    monkeypatch.setenv("EXPORT_MATRIX_DATABASE_URL", "sesame")
    text = "import os, subprocess, sys\n" + (
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True)\nprint(os.environ, os.getcwd())\n"
    )
    ran = run_alone(text, revision_path=None, limits=Limits(time_s=120))
    assert ran.exit_code == 0, ran.stderr
    assert "sesame" not in ran.stdout
    home = ran.stdout.split()[-1]
    assert not Path(home).exists()
    assert not [each for each in Path("/proc").glob("[0-9]*/environ") if _named(each, home)]


def _named(environ: Path, home: str) -> bool:
    try:
        return home.encode() in environ.read_bytes()
    except OSError:
        return False


def test_a_script_alone_is_ended_at_its_limits() -> None:
    hangs = run_alone("while True: pass", revision_path=None, limits=Limits(time_s=20))
    assert hangs.cause is Cause.DEADLINE
    eats = "x = []\nwhile True: x.append(bytes(1 << 24))"
    large = run_alone(eats, revision_path=None, limits=Limits(time_s=120, memory_bytes=3 << 30))
    assert large.cause is Cause.MEMORY
