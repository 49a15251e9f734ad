"""Tiny configurations: what shrinks, what stays, and what is derived again."""

from dataclasses import InitVar, dataclass, field, fields
from typing import Any, ClassVar

import pytest

from harness.zoo.building import class_of
from harness.zoo.configuration import tiny
from harness.zoo.fields import KEEP, RUNGS, Rung, Tokens, rebuilt

FIRST = RUNGS[0]


@dataclass(kw_only=True)
class Text:
    """A configuration as the library's are: a dataclass that derives what it isn't given."""

    model_type: ClassVar[str] = "text"
    attribute_map: ClassVar[dict[str, str]] = {}
    vocab_size: int = 32_000
    hidden_size: int = 4_096
    num_hidden_layers: int = 6
    num_attention_heads: int = 32
    num_key_value_heads: int = 8
    head_dim: int | None = None
    layer_types: list[str] | None = None
    rope_parameters: dict[str, Any] | None = None
    eos_token_id: int | list[int] = 2
    image_token_id: int = 31_999
    hidden_act: str = "silu"

    def __post_init__(self) -> None:
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        if self.layer_types is None:
            kinds = ["sliding", "sliding", "full"]
            self.layer_types = [kinds[i % 3] for i in range(self.num_hidden_layers)]

    def to_dict(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(kw_only=True)
class Picture:
    model_type: ClassVar[str] = "picture"
    attribute_map: ClassVar[dict[str, str]] = {}
    image_size: int = 336
    patch_size: int = 14
    image_token_id: int = 99_999
    depths: tuple[int, ...] = (3, 4, 6, 3)
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)

    def to_dict(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(kw_only=True)
class Both:
    model_type: ClassVar[str] = "both"
    attribute_map: ClassVar[dict[str, str]] = {}
    text_config: Text = field(default_factory=Text)
    vision_config: Picture = field(default_factory=Picture)
    image_token_id: int = 50_000


def test_sizes_shrink_and_code_paths_stay() -> None:
    text = tiny(Text, rung=FIRST, overrides={})
    assert (text.vocab_size, text.hidden_size, text.num_attention_heads) == (128, 64, 4)
    assert text.hidden_act == "silu"


def test_grouped_query_attention_stays_grouped() -> None:
    text = tiny(Text, rung=FIRST, overrides={})
    assert 1 < text.num_key_value_heads < text.num_attention_heads


def test_heads_that_each_have_their_own_keys_keep_them() -> None:
    assert rebuilt("num_key_value_heads", 32, rung=FIRST, tokens=Tokens(), heads=32) == 4


def test_what_is_derived_is_derived_again() -> None:
    assert tiny(Text, rung=FIRST, overrides={}).head_dim == 16


def test_one_layer_of_each_kind_is_kept() -> None:
    text = tiny(Text, rung=FIRST, overrides={})
    assert text.layer_types == ["sliding", "full"]
    assert text.num_hidden_layers == 2


def test_a_lower_rung_takes_layers_as_they_are_derived() -> None:
    four = next(rung for rung in RUNGS if rung.layers == 4)
    kinds = tiny(Text, rung=four, overrides={}).layer_types
    assert kinds == ["sliding", "sliding", "full", "sliding"]


def test_a_special_token_has_the_same_small_id_in_every_sub_configuration() -> None:
    both = tiny(Both, rung=FIRST, overrides={})
    ids = {both.image_token_id, both.text_config.image_token_id, both.vision_config.image_token_id}
    assert len(ids) == 1
    assert max(ids) < both.text_config.vocab_size


def test_a_list_of_ends_stays_a_list() -> None:
    assert rebuilt("eos_token_id", [7, 8], rung=FIRST, tokens=Tokens(), heads=0) == [2]


def test_pictures_are_four_patches_a_side() -> None:
    assert tiny(Picture, rung=FIRST, overrides={}).image_size == 56


def test_stages_keep_their_number_and_proportions() -> None:
    picture = tiny(Picture, rung=FIRST, overrides={})
    assert picture.depths == [2, 2, 2, 2]
    assert picture.hidden_sizes == [8, 16, 32, 64]


@pytest.mark.parametrize("path", ["text_config.hidden_size", "Text.hidden_size"])
def test_an_override_beats_every_rule(path: str) -> None:
    assert tiny(Both, rung=FIRST, overrides={path: 48}).text_config.hidden_size == 48


@dataclass(kw_only=True)
class Composite:
    """Made of a part that it has no default for, that it takes as a dictionary and no field."""

    model_type: ClassVar[str] = "composite"
    attribute_map: ClassVar[dict[str, str]] = {}
    sub_configs: ClassVar[dict[str, Any]] = {"encoder": Text}
    encoder: InitVar[dict[str, Any] | None] = None

    def __post_init__(self, encoder: dict[str, Any] | None) -> None:
        if encoder is None:
            raise ValueError("no encoder")
        self.part = Text(**{name: encoder[name] for name in encoder if name != "model_type"})

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  (any field's type)
        return super().__getattribute__("part" if name == "encoder" else name)


def test_what_a_revision_has_no_default_for_is_the_familys_and_shrinks() -> None:
    parts = {"encoder": {"model_type": "text", "hidden_size": 512}}
    made = tiny(Composite, rung=FIRST, overrides={}, parts=parts)
    assert made.part.hidden_size == 64
    assert parts["encoder"]["hidden_size"] == 512
    with pytest.raises(ValueError, match="no encoder"):
        tiny(Composite, rung=FIRST, overrides={})


class OfAPart:
    config_class = Composite

    def __init__(self, config: Text) -> None: ...


class OfAll(OfAPart):
    def __init__(self, config: Picture) -> None: ...


def test_a_part_of_a_model_is_made_with_the_configuration_that_it_asks_for() -> None:
    assert class_of(OfAPart) is Text
    assert class_of(OfAll) is Composite


def test_rotary_sections_fill_half_of_the_head() -> None:
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24]}
    text = tiny(Text, rung=FIRST, overrides={})
    sections = tiny(_with_rope(rope), rung=FIRST, overrides={}).rope_parameters["mrope_section"]
    assert sections == [2, 3, 3]
    assert text.rope_parameters is None


def _with_rope(rope: dict[str, Any]) -> type[Text]:
    @dataclass(kw_only=True)
    class Rotary(Text):
        rope_parameters: dict[str, Any] | None = field(default_factory=lambda: dict(rope))

    return Rotary


def test_numbers_that_no_rule_knows_stay_until_the_last_rungs() -> None:
    last = Rung(name="…", unknown=True)
    assert rebuilt("upsample_channels", 512, rung=FIRST, tokens=Tokens(), heads=0) is KEEP
    assert rebuilt("upsample_channels", 512, rung=last, tokens=Tokens(), heads=0) == 64
    assert rebuilt("sampling_rate", 16_000, rung=last, tokens=Tokens(), heads=0) is KEEP
