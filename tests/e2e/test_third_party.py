"""Exporters that others register with Transformers are backends, without a change of our code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from harness.attempt import attempt
from harness.backends import backend_names, load_backend
from harness.cells import Cell
from harness.errors import SelectionError
from harness.results import Outcome, Result, Stage
from harness.zoo.base import load_zoo

pytest.importorskip("torch")
auto = pytest.importorskip("transformers.exporters.auto")
pytestmark = [
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(
        not hasattr(auto, "register_backend"), reason="Transformers 5.23 takes exporters of others"
    ),
]

MODULE = """
import torch
from transformers.exporters import DynamoConfig, HfExporter, register_backend
from transformers.exporters.configs import ExportConfigMixin
from transformers.exporters.exporter_dynamo import DynamoExporter
from transformers.exporters.runners.runner_dynamo import DynamoModelRunner


class Mine(HfExporter):
    export_format = "mine"
    config_class = DynamoConfig
    program_suffix = ".pt2"
    required_packages = ["torch"]

    def export_program(self, model, sample_inputs, config):
        return DynamoExporter().export_program(model, sample_inputs, config)

    save_program = DynamoExporter.save_program
    load_program = DynamoExporter.load_program


class Runner(DynamoModelRunner):
    pass


class Wrong(DynamoModelRunner):
    def __call__(self, **kwargs):
        outputs = super().__call__(**kwargs)
        outputs.pooler_output = outputs.pooler_output + 0.5
        return outputs


class Plain(ExportConfigMixin):
    pass
"""
REGISTERED = MODULE + "\nregister_backend(Mine, Runner)\n"
METADATA = "Metadata-Version: 2.1\nName: mine-exporter\nVersion: 1.2\nRequires-Dist: torch\n"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, imported; what is registered meanwhile is gone after the test."""
    monkeypatch.setattr(auto, "EXPORT_BACKENDS", dict(auto.EXPORT_BACKENDS))
    made = ModuleType("mine_exporter")
    exec(MODULE, vars(made))
    return made


def _attempt(variant: str = "forward-static") -> Result:
    cell = Cell.parse(f"bert/BertModel/{variant}/mine")
    return attempt(cell, zoo=load_zoo(), backend=load_backend("mine"))


@pytest.mark.parametrize("variant", ["forward-static", "forward-dynamic"])
def test_a_registered_exporter_is_run_by_its_runner_and_compared(
    mine: ModuleType, variant: str
) -> None:
    auto.register_backend(mine.Mine, mine.Runner)
    assert "mine" in backend_names()
    result = _attempt(variant)
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
    (part,) = result.components
    assert {"last_hidden_state", "pooler_output"} <= {output.name for output in part.outputs}
    assert {"eager", "capture", "lower", "load"} <= set(result.durations_s)


def test_what_its_runner_gives_is_not_taken_on_trust(mine: ModuleType) -> None:
    auto.register_backend(mine.Mine, mine.Wrong)
    result = _attempt()
    assert (result.outcome, result.stage, result.kind) == (Outcome.FAIL, Stage.COMPARE, "mismatch")
    assert "pooler_output" in (result.reason or "")


def test_without_a_runner_it_is_exported_and_can_not_be_run(mine: ModuleType) -> None:
    auto.register_backend(mine.Mine)
    result = _attempt()
    assert (result.stage, result.kind) == (Stage.LOAD, "runtime-limit")
    assert "no runner registered" in (result.reason or "")


def test_an_exporter_without_dynamic_shapes_fails_dynamic_cells_by_saying_so(
    mine: ModuleType,
) -> None:
    mine.Mine.config_class = mine.Plain
    auto.register_backend(mine.Mine, mine.Runner)
    result = _attempt("forward-dynamic")
    assert (result.outcome, result.stage) == (Outcome.FAIL, Stage.CAPTURE)
    assert "Plain has no setting dynamic" in (result.reason or "")


def test_what_an_exporter_requires_is_asked_before_it_runs(mine: ModuleType) -> None:
    mine.Mine.required_packages = ["torch", "no_such_package"]
    auto.register_backend(mine.Mine, mine.Runner)
    result = _attempt()
    assert result.outcome is Outcome.SKIP
    assert "pip install no_such_package" in (result.reason or "")


def _distribution(folder: Path, text: str, value: str) -> None:
    (folder / "mine_exporter.py").write_text(text)
    info = folder / "mine_exporter-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(f"[export_matrix.backends]\nmine = {value}\n")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(auto, "EXPORT_BACKENDS", dict(auto.EXPORT_BACKENDS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mine_exporter", raising=False)
    return tmp_path


def test_an_entry_point_may_name_an_exporter_alone(on_path: Path) -> None:
    _distribution(on_path, MODULE, "mine_exporter:Mine")
    assert load_backend("mine").missing() is None
    assert auto.EXPORT_BACKENDS["mine"].runner is None


def test_an_entry_point_that_registers_nothing_of_its_name_is_refused(on_path: Path) -> None:
    _distribution(on_path, MODULE, "mine_exporter")
    with pytest.raises(SelectionError, match="'mine_exporter' registers no exporter 'mine'"):
        load_backend("mine")


def test_an_exporter_of_another_format_is_refused_before_it_replaces_that_one(
    on_path: Path,
) -> None:
    _distribution(on_path, MODULE.replace('"mine"', '"onnx"'), "mine_exporter:Mine")
    with pytest.raises(SelectionError, match="exports the format 'onnx'"):
        load_backend("mine")
    assert "OnnxExporter" in auto.EXPORT_BACKENDS["onnx"].exporter


def test_a_release_that_takes_no_exporters_is_a_skip_that_says_which_does(
    on_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(auto, "register_backend")
    text = "from transformers.exporters.auto import register_backend\n"
    _distribution(on_path, text, "mine_exporter")
    result = _attempt()
    assert result.outcome is Outcome.SKIP
    assert "pip install 'transformers>=5.23'" in (result.reason or "")


def test_a_distributions_exporter_goes_the_whole_way_by_the_command_line(tmp_path: Path) -> None:
    _distribution(tmp_path, REGISTERED, "mine_exporter")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    command = ["run", "bert/BertModel/forward-static/mine", "--json", "-n", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "runner.cli", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},  # noqa: TID251  (handed on)
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"] == {"pass": 1}
