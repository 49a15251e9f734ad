"""Dimensions in words become sizes, and shapes in tables become tables of tensors."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.zoo import dimensions
from harness.zoo.setting import Setting
from harness.zoo.sizes import FIRST

CONFIGURATION = SimpleNamespace(hidden_size=64, block_size=16, target_layer_ids=[1, 5, 9])


def shaped(name: str, sizes: tuple[int, ...], setting: Setting, *, kind: str) -> Any:  # noqa: ANN401  (stands for a tensor)
    """Stands for a tensor: its name, its sizes and what it holds."""
    return name, sizes, kind


@pytest.fixture(autouse=True)
def _without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimensions, "tensor", shaped)


def made(shape: Any, **kinds: str) -> Any:  # noqa: ANN401  (as the override table spells shapes)
    setting = Setting(
        configuration=CONFIGURATION,
        class_name="ToadModel",
        parameters={},
        sizes=FIRST,
        shapes={},
        kinds={f"toads.{key}": kind for key, kind in kinds.items()},
        values={},
    )
    return dimensions.from_words("toads", shape, setting)


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("7", 7),
        ("batch_size", FIRST.batch),
        ("config.block_size", 16),
        ("sequence_length + config.block_size", FIRST.text + 16),
        ("hidden_size * len(config.target_layer_ids)", 64 * 3),
        ("2 + 3 * block_size", 2 + 3 * 16),
    ],
)
def test_a_word_becomes_a_size(word: str, size: int) -> None:
    assert made([word]) == ("toads", (size,), "float")


@pytest.mark.parametrize("word", ["ponds", "batch_size * ponds", "1 + ponds", "len(ponds)"])
def test_an_unknown_word_makes_no_tensor(word: str) -> None:
    assert made(["batch_size", word]) is None


def test_a_table_of_shapes_becomes_a_table_of_tensors_each_with_what_it_holds() -> None:
    table = {"image": ["batch_size", 3], "points": [5]}
    assert made(table, points="below 9") == {
        "image": ("toads.image", (FIRST.batch, 3), "float"),
        "points": ("toads.points", (5,), "below 9"),
    }


def test_a_list_of_shapes_becomes_as_many_tensors() -> None:
    assert made([["batch_size", 3], [5]]) == (
        ("toads.0", (FIRST.batch, 3), "float"),
        ("toads.1", (5,), "float"),
    )
