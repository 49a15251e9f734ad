"""The backends on real models: exported, run on their own runtimes, compared by value."""

import pytest

from harness.attempt import attempt
from harness.backends import load_backend
from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from harness.zoo.base import load_zoo

pytest.importorskip("torch")
# What the exporters' libraries deprecate among themselves is theirs.
pytestmark = pytest.mark.filterwarnings("default")

ZOO = load_zoo()


def _attempt(name: str) -> Result:
    cell = Cell.parse(name)
    return attempt(cell, zoo=ZOO, backend=load_backend(cell.backend))


@pytest.mark.parametrize(
    "name",
    [
        "bert/BertModel/forward-static/dynamo",
        "bert/BertModel/forward-static/onnx",
        "bert/BertModel/forward-dynamic/onnx",
        "vit/ViTModel/forward-static/executorch",
        "llama/LlamaForCausalLM/forward-dynamic/dynamo",
        "gpt2/GPT2LMHeadModel/generate-static/dynamo",
        "gpt2/GPT2LMHeadModel/generate-cache-static/dynamo",
    ],
)
def test_a_model_runs_as_eager_does_on_each_runtime(name: str) -> None:
    result = _attempt(name)
    assert result.outcome is Outcome.PASS, f"{result.stage} {result.kind} {result.reason}"
    sizes = {output.sizes for part in result.components for output in part.outputs}
    assert len(sizes) == (2 if result.cell.variant.dynamic else 1)


@pytest.mark.parametrize(
    "name", ["bert/BertModel/forward-static/openvino", "llama/LlamaModel/forward-dynamic/openvino"]
)
def test_openvino_joins_where_it_is_installed(name: str) -> None:
    pytest.importorskip("openvino")
    result = _attempt(name)
    assert (result.outcome, result.reason) == (Outcome.PASS, None)


def test_a_dimension_that_was_quietly_fixed_is_a_failure_at_other_sizes() -> None:
    result = _attempt("mamba/MambaForCausalLM/forward-dynamic/dynamo")
    assert (result.outcome, result.stage) == (Outcome.FAIL, Stage.RESIZE)
    assert result.kind == "specialized-shape"
    assert "batch 3, sequence 13" in (result.reason or "")


def test_values_that_differ_are_a_failure_with_their_numbers_and_the_memory_planned() -> None:
    result = _attempt("gemma2/Gemma2ForCausalLM/forward-static/executorch")
    assert (result.outcome, result.stage, result.kind) == (Outcome.FAIL, Stage.COMPARE, "mismatch")
    worst = [output for output in result.components[0].outputs if output.problem]
    assert worst[0].max_abs_diff is not None
    assert worst[0].max_abs_diff > worst[0].atol
    assert (result.components[0].planned_bytes or 0) > 0


def test_a_multimodal_model_is_reported_component_by_component() -> None:
    result = _attempt("llava/LlavaForConditionalGeneration/forward-static/dynamo")
    names = [part.name for part in result.components]
    assert {"image_encoder", "multi_modal_projector", "language_model"} <= set(names)
    assert all(part.outputs for part in result.components)


def test_what_the_exporter_patched_is_recorded() -> None:
    result = _attempt("bert/BertModel/forward-static/onnx")
    patches = result.components[0].patches
    assert "torch.nn.functional.scaled_dot_product_attention" in patches
    assert result.components[0].graph_nodes
    assert result.components[0].program_bytes
