"""Cases from a checkout's own model testers: a small checkout around the installed Transformers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]
COMMON = """
import random
global_rng = random.Random()

def ids(shape, size):
    import torch
    drawn = [global_rng.randint(0, size - 1) for _ in range(shape[0] * shape[1])]
    return torch.tensor(drawn).view(shape)

EXPORT_SKIPS = {"onnx.dynamic": {"BertModel": "a known trouble"}}

class Mixin:
    test_torch_exportable = True
    def _prepare_for_class(self, inputs, model_class):
        return dict(inputs)
"""
BERT = """
import unittest
from transformers import BertConfig, BertForMaskedLM, BertModel
from ...test_modeling_common import Mixin, ids

class Tester:
    def __init__(self):
        self.batch_size, self.seq_length = 13, 7

    def prepare_config_and_inputs_for_common(self):
        size = dict(hidden_size=32, intermediate_size=37, num_attention_heads=4)
        config = BertConfig(**size, num_hidden_layers=2, vocab_size=99)
        shape = (self.batch_size, self.seq_length)
        return config, {"input_ids": ids(shape, 99), "labels": ids(shape, 2)}

class BertModelTest(Mixin, unittest.TestCase):
    all_model_classes = (BertModel, BertForMaskedLM)
    test_torch_exportable = False

    def setUp(self):
        self.model_tester = Tester()
"""
VIT = "import no_such_test_package\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as a checkout of Transformers is."""
    root = tmp_path_factory.mktemp("checkout")
    (root / "src").mkdir()
    (root / "src/transformers").symlink_to(Path(transformers.__file__).parent)
    files = {
        "test_modeling_common.py": COMMON,
        "models/bert/test_modeling_bert.py": BERT,
        "models/vit/test_modeling_vit.py": VIT,
    }
    for name, text in files.items():
        file = root / "tests" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for folder in (file.parent, file.parent.parent):
            (folder / "__init__.py").touch()
    return root


def _with(checkout: Path, *arguments: str, folder: Path, stdin: str = "") -> str:
    path = f"{checkout / 'src'}{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "COLUMNS": "200"},  # noqa: TID251  (handed on)
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout or done.stderr


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of building these classes, by name."""
    names = ["bert/BertForMaskedLM", "bert/BertModel", "bert/BertForMultipleChoice"]
    names += ["vit/ViTModel", "llama/LlamaModel"]
    listing = ("harness.listing", "harness.zoo.testers", "--build")
    folder = tmp_path_factory.mktemp("built")
    lines = _with(checkout, *listing, folder=folder, stdin="\n".join(names)).splitlines()
    return dict(zip(names, map(json.loads, lines), strict=True))


def test_the_testers_configuration_and_inputs_make_the_case(built: dict[str, Any]) -> None:
    made = built["bert/BertForMaskedLM"]
    assert (made["status"], made["reason"]) == ("ready", None)
    recipe = made["recipe"]
    assert recipe["tester"] == "tests.models.bert.test_modeling_bert.BertModelTest"
    assert recipe["sizes"] == {"input_ids": [13, 7]}
    assert recipe["configuration"]["intermediate_size"] == 37


def test_what_upstream_leaves_out_is_in_the_recipe(built: dict[str, Any]) -> None:
    assert built["bert/BertModel"]["recipe"]["upstream"] == {
        "test_torch_exportable": False,
        "skips": {"onnx.dynamic": "a known trouble"},
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("vit/ViTModel", "its tester needs no_such_test_package, which is not installed"),
        ("bert/BertForMultipleChoice", "no model tester of tests/models/bert has it"),
        ("llama/LlamaModel", "there is no tests/models/llama"),
    ],
)
def test_a_class_without_a_usable_tester_is_a_skip_with_its_reason(
    built: dict[str, Any], name: str, says: str
) -> None:
    assert built[name]["status"] == "skip"
    assert says in built[name]["reason"]


def test_the_same_cells_run_and_say_who_made_them(checkout: Path, tmp_path: Path) -> None:
    run = ("runner.cli", "run", "bert/BertModel/forward-dynamic/dynamo", "--provider", "testers")
    told = json.loads(_with(checkout, *run, "--json", folder=tmp_path))
    assert told["outcomes"] == {"pass": 1}
    (file,) = tmp_path.glob(".export-matrix/runs/*/shards/000.jsonl")
    result = json.loads(file.read_text())
    assert result["provider"] == "testers"
    sizes = {output["sizes"] for part in result["components"] for output in part["outputs"]}
    assert sizes == {"traced", "batch 14, sequence 10"}


def test_without_testers_beside_it_the_answer_is_where_they_come_from(tmp_path: Path) -> None:
    installed = Path(transformers.__file__).parents[1]
    said = _with(installed.parent, "runner.cli", "cases", "--provider", "testers", folder=tmp_path)
    assert "no model testers beside this Transformers" in said
    assert "--revision path/to/transformers@main" in said
