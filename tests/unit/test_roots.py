"""One cause with its dependants: which failing cell explains which."""

import pytest

from harness.cells import Cell
from runner.core.roots import causes, roots
from runner.core.runs import CellVerdict, Verdict

LLAMA = "transformers.models.llama.modeling_llama:LlamaModel"


def _failed(
    name: str, signature: str | None = "s1-a", where: str = "forward-static/onnx"
) -> CellVerdict:
    cell = Cell.parse(f"{name}/{where}")
    return CellVerdict(cell=cell, verdict=Verdict.FAIL, signature=signature)


def _under(*failed: CellVerdict, made_of: dict[str, list[str]] | None = None) -> dict[str, str]:
    made = {
        Cell.parse(f"{name}/forward-static/onnx"): parts for name, parts in (made_of or {}).items()
    }
    return {cell.model_class: root.model_class for cell, root in roots(failed, made).items()}


def test_heads_depend_on_their_model() -> None:
    heads = ["llama/LlamaForCausalLM", "llama/LlamaForSequenceClassification"]
    found = causes([_failed(name) for name in (*heads, "llama/LlamaModel")], {})
    assert [cause.root.cell.model_class for cause in found] == ["LlamaModel"]
    assert [each.cell.model_class for each in found[0].dependants] == [
        "LlamaForCausalLM",
        "LlamaForSequenceClassification",
    ]


@pytest.mark.parametrize(
    "other",
    [
        _failed("llama/LlamaForCausalLM", signature="s1-b"),
        _failed("llama/LlamaForCausalLM", signature=None),
        _failed("llama/LlamaForCausalLM", where="forward-dynamic/onnx"),
        _failed("llama/LlamaForCausalLM", where="forward-static/dynamo"),
        _failed("mistral/MistralForCausalLM"),
    ],
)
def test_only_the_same_failure_of_the_same_variant_and_backend_depends(other: CellVerdict) -> None:
    assert _under(_failed("llama/LlamaModel"), other) == {}


def test_a_head_whose_model_passes_is_a_root() -> None:
    assert len(causes([_failed("llama/LlamaForCausalLM")], {})) == 1


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("gpt2/GPT2Model", "gpt2/GPT2LMHeadModel"),
        ("gpt2/GPT2Model", "gpt2/GPT2DoubleHeadsModel"),
        ("clip/CLIPTextModel", "clip/CLIPModel"),
        ("clip/CLIPVisionModel", "clip/CLIPVisionModelWithProjection"),
        ("qwen2_vl/Qwen2VLModel", "qwen2_vl/Qwen2VLForConditionalGeneration"),
        ("bert/BertModel", "bert/BertForPreTraining"),
    ],
)
def test_names_tell_what_contains_what_within_a_model_type(part: str, whole: str) -> None:
    names = part.partition("/")[2], whole.partition("/")[2]
    assert _under(_failed(part), _failed(whole)) == {names[1]: names[0]}


def test_a_head_belongs_to_the_model_with_the_longest_common_name() -> None:
    failed = ["clip/CLIPTextModel", "clip/CLIPVisionModel", "clip/CLIPVisionModelWithProjection"]
    assert _under(*map(_failed, failed)) == {"CLIPVisionModelWithProjection": "CLIPVisionModel"}


def test_what_a_model_is_made_of_reaches_across_model_types() -> None:
    failed = ["llama/LlamaModel", "llava/LlavaModel", "llava/LlavaForConditionalGeneration"]
    assert _under(*map(_failed, failed), made_of={"llava/LlavaModel": [LLAMA]}) == {
        "LlavaModel": "LlamaModel",
        "LlavaForConditionalGeneration": "LlamaModel",
    }


def test_a_model_is_not_its_own_dependant() -> None:
    assert _under(_failed("llama/LlamaModel"), made_of={"llama/LlamaModel": [LLAMA]}) == {}


def test_models_that_contain_each_other_still_have_a_root() -> None:
    parts = {
        "llama/LlamaModel": ["transformers.models.llava.modeling_llava:LlavaModel"],
        "llava/LlavaModel": [LLAMA],
    }
    failed = [_failed("llama/LlamaModel"), _failed("llava/LlavaModel")]
    assert len(_under(*failed, made_of=parts)) == 1
