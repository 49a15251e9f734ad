"""The zoo on the real library: what it builds runs, is tiny, repeats, and comes in two sizes."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import CaseError
from harness.zoo.base import Case, Inputs, load_zoo
from harness.zoo.trial import ineffective, run, tensors

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")

FAMILIES = (
    ("bert", "BertModel"),
    ("llama", "LlamaForCausalLM"),
    ("gemma2", "Gemma2ForCausalLM"),
    ("mixtral", "MixtralForCausalLM"),
    ("mamba2", "Mamba2ForCausalLM"),
    ("t5", "T5ForConditionalGeneration"),
    ("vit", "ViTForImageClassification"),
    ("swin", "SwinModel"),
    ("detr", "DetrForObjectDetection"),
    ("whisper", "WhisperForConditionalGeneration"),
    ("wav2vec2", "Wav2Vec2Model"),
    ("clip", "CLIPModel"),
    ("llava", "LlavaForConditionalGeneration"),
    ("qwen2_vl", "Qwen2VLForConditionalGeneration"),
)
ZOO = load_zoo()


def outputs(case: Case, inputs: Inputs) -> list[Any]:
    return [each for _, each in tensors(run(case.model, inputs))]


def digest(case: Case) -> str:
    numbers = b"".join(each.numpy().tobytes() for each in outputs(case, case.inputs))
    return hashlib.sha256(numbers).hexdigest()


@pytest.mark.parametrize(("model_type", "model_class"), FAMILIES)
def test_a_class_builds_twice_to_the_same_bits(model_type: str, model_class: str) -> None:
    one, other = (ZOO.build(model_type, model_class) for _ in range(2))
    assert digest(one) == digest(other)
    assert json.dumps(one.recipe) == json.dumps(other.recipe)
    assert one.recipe["parameters"] <= 5_000_000


@pytest.mark.parametrize(("model_type", "model_class"), FAMILIES)
def test_the_other_sizes_are_other_sizes_and_run(model_type: str, model_class: str) -> None:
    case = ZOO.build(model_type, model_class)
    assert case.resized is not None
    assert case.resized.keys() == case.inputs.keys()
    changed = [name for name, each in case.inputs.items() if each.shape != case.resized[name].shape]
    assert changed
    assert "batch 3" in case.resized_label
    assert outputs(case, case.resized)[0].shape != outputs(case, case.inputs)[0].shape


def test_another_process_makes_the_same_bits() -> None:
    script = (
        "from tests.e2e.test_zoo import ZOO, digest;"
        "print([digest(ZOO.build(*each)) for each in"
        " (('llama', 'LlamaForCausalLM'), ('clip', 'CLIPModel'))])"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    lines = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        for _ in range(2)
    ]
    assert lines[0] == lines[1]


class Careless(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A model whose weight is whatever was in memory."""

    def __init__(self, _: object) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(1000))


def test_a_weight_that_is_left_uninitialised_does_not_depend_on_what_was_in_memory() -> None:
    from harness.zoo.weights import instantiate

    weights = []
    for litter in (1e9, -1e9):
        torch.full((1000,), litter)
        weights.append(instantiate(Careless, None).weight)
    assert torch.equal(*weights)


def test_an_input_of_several_tensors_comes_in_other_sizes_too() -> None:
    case = ZOO.build("perceiver", "PerceiverForMultimodalAutoencoding")
    assert case.resized is not None
    before, after = case.inputs["inputs"], case.resized["inputs"]
    assert {key: len(each) for key, each in before.items()} == dict.fromkeys(before, 2)
    assert {key: len(each) for key, each in after.items()} == dict.fromkeys(before, 3)


def test_a_decoder_is_given_what_its_encoder_has_read() -> None:
    case = ZOO.build("diffusion_gemma", "DiffusionGemmaDecoderModel")
    assert case.inputs["past_key_values"].get_seq_length() == 10
    assert case.resized is not None
    assert case.resized["past_key_values"].get_seq_length() == 13


def test_a_picture_meets_its_placeholders_and_changes_the_answer() -> None:
    case = ZOO.build("llava", "LlavaForConditionalGeneration")
    placeholders = (case.inputs["input_ids"] == case.model.config.image_token_index).sum(dim=-1)
    assert set(placeholders.tolist()) == {case.recipe["placeholders"]["image"]}
    other = {**case.inputs, "pixel_values": case.inputs["pixel_values"].flip(-1)}
    assert not torch.equal(outputs(case, case.inputs)[0], outputs(case, other)[0])


class Deaf(torch.nn.Module):  # type: ignore[misc]  # torch is Any here
    """Sees, and doesn't hear."""

    def forward(self, pixel_values: Any, input_values: Any) -> Any:  # noqa: ANN401  (tensors)
        return {"sums": pixel_values.cumsum(dim=-1) + 0 * input_values.sum()}


def test_a_medium_that_changes_nothing_is_told() -> None:
    inputs = {"pixel_values": torch.rand(2, 8), "input_values": torch.rand(2, 8)}
    assert ineffective(Deaf(), inputs, run(Deaf(), inputs)) == ["input_values"]


def test_deep_convolutions_tell_pictures_apart() -> None:
    """With upstream's batch norms this model shrinks its signal sixteen times over."""
    case = ZOO.build("efficientnet", "EfficientNetModel")
    other = {"pixel_values": case.inputs["pixel_values"].flip(-1)}
    one, two = outputs(case, case.inputs)[0], outputs(case, other)[0]
    assert (one - two).abs().max() > 1e-3
    assert case.recipe["ineffective"] == []


@pytest.mark.parametrize(
    ("model_type", "model_class"),
    [("mamba2", "Mamba2Model"), ("moshi", "MoshiForCausalLM"), ("univnet", "UnivNetModel")],
)
def test_a_configuration_survives_being_saved(
    model_type: str, model_class: str, tmp_path: Path
) -> None:
    """These have an infinity, a value derived on reading, tuples of tuples."""
    configuration = ZOO.build(model_type, model_class).model.config
    configuration.save_pretrained(tmp_path)
    assert type(configuration).from_pretrained(tmp_path).to_dict() == configuration.to_dict()


def test_texts_are_padded_on_the_right_and_prompts_on_the_left() -> None:
    case = ZOO.build("llama", "LlamaForCausalLM")
    assert case.generate_inputs is not None
    assert case.inputs["attention_mask"][0].tolist() == [1] * 8 + [0] * 2
    assert case.generate_inputs["attention_mask"][0].tolist() == [0] * 2 + [1] * 8


@pytest.mark.parametrize(
    ("model_type", "model_class"),
    [
        ("llama", "LlamaForCausalLM"),
        ("t5", "T5ForConditionalGeneration"),
        ("llava", "LlavaForConditionalGeneration"),
        ("whisper", "WhisperForConditionalGeneration"),
    ],
)
def test_a_prompt_generates(model_type: str, model_class: str) -> None:
    case = ZOO.build(model_type, model_class)
    for prompt in (case.generate_inputs, case.resized_generate_inputs):
        assert prompt is not None
        tokens = case.model.generate(**prompt, max_new_tokens=3, min_new_tokens=3, do_sample=False)
        assert tokens.shape[0] == next(iter(prompt.values())).shape[0]


def test_another_sound_has_other_codes() -> None:
    case = ZOO.build("mimi", "MimiModel")
    other = {**case.inputs, "input_values": case.inputs["input_values"].flip(-1)}
    assert not torch.equal(outputs(case, case.inputs)[0], outputs(case, other)[0])


def test_grouped_queries_and_both_kinds_of_layers_survive() -> None:
    configuration = ZOO.build("gemma2", "Gemma2ForCausalLM").model.config
    assert set(configuration.layer_types) == {"full_attention", "sliding_attention"}
    assert 1 < configuration.num_key_value_heads < configuration.num_attention_heads


def test_more_experts_than_are_chosen_and_aligned_for_grouped_products() -> None:
    configuration = ZOO.build("mixtral", "MixtralForCausalLM").model.config
    assert configuration.num_local_experts > configuration.num_experts_per_tok > 1
    assert configuration.intermediate_size % 16 == 0


@pytest.mark.parametrize(
    ("model_type", "model_class", "reason"),
    [
        ("llama", "LlamaForCausalLn", "did you mean 'llama/LlamaForCausalLM'?"),
        ("bert", "BertPreTrainedModel", "abstract"),
        ("dinat", "DinatModel", "needs natten, which is not installed"),
    ],
)
def test_what_cant_be_built_says_why_in_one_line(
    model_type: str, model_class: str, reason: str
) -> None:
    with pytest.raises(CaseError, match=reason) as caught:
        ZOO.build(model_type, model_class)
    assert "\n" not in str(caught.value)


def test_discovery_finds_the_whole_library_in_seconds() -> None:
    ready = [each for each in ZOO.discover() if each.skip is None]
    assert len(ready) > 1_500
    assert len({each.model_type for each in ready}) > 400
