"""Repairs: what a refusal teaches, and what the override table may say."""

import tomllib
from importlib.resources import files

import pytest

from harness.errors import SkipError
from harness.zoo.building import build
from harness.zoo.documented import parameters
from harness.zoo.overrides import override
from harness.zoo.repair import Plan, repaired

MAKEABLE = dict.fromkeys(
    ("input_ids", "attention_mask", "bbox", "pixel_values", "input_features", "decoder_input_ids")
)


def after(message: str, *names: str) -> Plan | None:
    return repaired(Plan(names=names), TypeError(message), MAKEABLE)


def test_a_missing_argument_is_added() -> None:
    plan = after("forward() missing 1 required positional argument: 'bbox'", "input_ids")
    assert plan == Plan(names=("input_ids", "bbox"), repairs=("added bbox",))


def test_an_unexpected_argument_is_dropped_for_good() -> None:
    plan = after("forward() got an unexpected keyword argument 'bbox'", "input_ids", "bbox")
    assert plan is not None
    assert plan.names == ("input_ids",)
    again = repaired(plan, ValueError("You have to specify bbox"), MAKEABLE)
    assert again is None


def test_one_too_many_is_dropped() -> None:
    plan = after(
        "You cannot specify both input_ids and pixel_values at the same time",
        "input_ids",
        "pixel_values",
    )
    assert plan is not None
    assert plan.names == ("input_ids",)


def test_a_picture_of_the_wrong_size_gets_the_models() -> None:
    plan = after("Input image size (96*128) doesn't match model (64*48).", "pixel_values")
    assert plan is not None
    assert plan.image == (64, 48)


def test_placeholders_are_counted_as_the_message_does() -> None:
    message = "Image features and image tokens do not match, tokens: 0, features: 32"
    plan = after(message, "input_ids", "pixel_values")
    assert plan is not None
    assert plan.features == {"image": 16}


def test_a_name_in_the_line_of_model_code_that_failed_is_added() -> None:
    source = "def forward(bbox):\n    return bbox.shape\nforward(None)\n"
    path = "/somewhere/models/toad/modeling_toad.py"
    import linecache

    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    with pytest.raises(AttributeError) as caught:
        exec(compile(source, path, "exec"), {})
    plan = repaired(Plan(names=("input_ids",)), caught.value, MAKEABLE)
    assert plan is not None
    assert plan.names == ("input_ids", "bbox")


def test_a_model_that_refuses_its_picture_is_tried_on_text_alone_and_it_is_said() -> None:
    plan = after("something is wrong", "input_ids", "pixel_values")
    assert plan is not None
    assert plan.repairs == ("dropped pixel_values",)


def test_there_is_an_end_of_repairs() -> None:
    assert after("something is wrong", "input_ids") is None


class Documented:
    """A class whose forward is documented the way the library does it."""

    def forward(
        self, input_ids: object, bbox: object = None, use_cache: bool = False, **kwargs: object
    ) -> None:
        """
        input_ids (`torch.LongTensor` of shape `(batch_size, sequence_length)`):
            Words.
        bbox (`torch.LongTensor` of shape `(batch_size, sequence_length, 4)`, *optional*):
            Boxes.
        use_cache (`bool`, *optional*):
            Whether.
        """


def test_documented_shapes_are_read() -> None:
    found = parameters(Documented)
    assert list(found) == ["input_ids", "bbox", "use_cache"]
    assert found["input_ids"].required
    assert found["bbox"].shape == ("batch_size", "sequence_length", "4")
    assert found["use_cache"].shape == ()


class Session:
    """An object of the library, as a video model's forward takes it."""


Session.__module__ = "transformers.models.toad_video.modeling_toad_video"


class Bracketed:
    """A class whose forward is documented with square brackets, and asks for an object."""

    config_class = object

    def __init__(self, config: object) -> None:
        self.config = config

    def forward(self, session: Session, states: object, last: Session | None = None) -> None:
        """
        states (`torch.Tensor` of shape `[batch_size, 2 + config.block_size, 3 * len(config.ids)]`):
            States.
        """


def test_shapes_in_square_brackets_are_read() -> None:
    shape = parameters(Bracketed)["states"].shape
    assert shape == ("batch_size", "2 + config.block_size", "3 * len(config.ids)")


def test_a_class_that_takes_an_object_of_the_library_is_skipped_and_the_object_named() -> None:
    with pytest.raises(SkipError, match=r"takes more than tensors: session \(Session\)$"):
        build(Bracketed, "toad_video")


def test_every_override_has_its_reason() -> None:
    table = tomllib.loads(files("harness.zoo").joinpath("overrides.toml").read_text("utf-8"))
    levels = [
        (f"{family}.{name}" if name else family, level)
        for family, entry in table.items()
        for name, level in [("", entry), *((k, v) for k, v in entry.items() if k[0].isupper())]
    ]
    bare = [name for name, level in levels if "reason" not in level and set(level) & KEYS]
    assert bare == []


KEYS = {"configuration", "add", "drop", "shapes"}


def test_a_class_adds_to_its_family() -> None:
    both = override("blip_2", "Blip2ForImageTextRetrieval")
    assert both.configuration["Blip2QFormerConfig.use_qformer_text_input"] is True
    assert override("no_such_family", "NoSuchClass").configuration == {}
