"""Families by name, and modalities by inputs."""

import pytest

from harness.cells import Cell, Variant
from runner.core.families import family_of
from runner.core.modalities import kinds_of, modality
from runner.core.select import parse_words


@pytest.mark.parametrize(
    ("model_type", "family"),
    [
        ("qwen2_moe", "qwen"),
        ("qwen3", "qwen"),
        ("gpt_neox", "gpt"),
        ("deberta-v2", "deberta"),
        ("mt5", "mt"),
        ("t5gemma", "t5gemma"),
        ("m2m_100", "m2m"),
        ("x_clip", "x_clip"),
    ],
)
def test_a_family_is_what_a_name_begins_with(model_type: str, family: str) -> None:
    assert family_of(model_type) == family


def test_cells_are_selected_by_family_before_anything_was_run() -> None:
    cells = [
        Cell(name, "Model", Variant.FORWARD_STATIC, "onnx") for name in ("gpt2", "gpt_neo", "opt")
    ]
    chosen = parse_words(["family:gpt"]).cells(cells)
    assert [cell.model_type for cell in chosen] == ["gpt2", "gpt_neo"]


def test_masks_and_positions_say_nothing_of_what_a_model_takes() -> None:
    assert modality(kinds_of(["input_ids", "attention_mask", "position_ids"])) == "text"
    assert modality(kinds_of(["pixel_values_videos", "input_ids"])) == "text and video"
    assert modality(["text", "image", "audio"]) == "audio, image and text"
    assert modality(kinds_of(["hidden_states"])) == "not known"
