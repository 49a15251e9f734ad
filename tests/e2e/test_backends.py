"""The backends on real models: exported, run on their own runtimes, and equal by value."""

import pytest

from harness.attempt import attempt
from harness.backends import load_backend
from harness.cells import Cell
from harness.results import Outcome
from harness.zoo.base import load_zoo

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")

CELLS = (
    "bert/BertModel/forward-static/dynamo",
    "bert/BertModel/forward-static/onnx",
    "bert/BertModel/forward-static/executorch",
    "bert/BertModel/forward-dynamic/dynamo",
    "llama/LlamaForCausalLM/forward-static/dynamo",
    "llama/LlamaForCausalLM/forward-dynamic/onnx",
)
ZOO = load_zoo()


@pytest.mark.parametrize("name", CELLS)
def test_a_model_runs_as_eager_does_on_each_runtime(name: str) -> None:
    cell = Cell.parse(name)
    backend = load_backend(cell.backend)
    if (install := backend.missing()) is not None:
        pytest.skip(install)
    result = attempt(cell, zoo=ZOO, backend=backend)
    assert result.outcome is Outcome.PASS, f"{result.stage} {result.kind} {result.reason}"
    sizes = {output.sizes for part in result.components for output in part.outputs}
    assert len(sizes) == (2 if cell.variant.dynamic else 1)
