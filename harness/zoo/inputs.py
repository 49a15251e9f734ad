"""Sample inputs: what each parameter of a forward is given.

A value depends on the parameter's name, the sizes, the configuration and the seed; never on which
other inputs there are. Rules by name come first, then the documented shape.

- texts are right-padded in their first row, with ids above the special tokens;
- an encoder's and a decoder's text differ in length;
- a picture is as large as the configuration asks, or four patches a side.
"""

import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.zoo.configuration import is_configuration
from harness.zoo.documented import Parameter
from harness.zoo.sizes import Sizes

SEED = 7
_PADDED = 2
_FIRST_WORD = 40


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What inputs are made from."""

    configuration: Any
    class_name: str
    parameters: Mapping[str, Parameter]
    sizes: Sizes
    #: dimensions that a family spells out, parameter -> words
    shapes: Mapping[str, tuple[Any, ...]]
    #: pictures a row, where a model takes several
    images: int = 0

    def generator(self, name: str) -> Any:  # noqa: ANN401  (a torch.Generator)
        import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

        return torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))

    def find(self, *names: str, under: str = "") -> Any:  # noqa: ANN401  (any field)
        """The first of these fields that is set, searched level by level, `under` first."""
        for each in self._levels(under):
            for name in names:
                value = getattr(each, name, None)
                if value is not None:
                    return value
        return None

    def number(self, *names: str, under: str = "") -> int | None:
        """The first of these fields that is a whole number."""
        for each in self._levels(under):
            for name in names:
                value = getattr(each, name, None)
                if type(value) is int:
                    return value
        return None

    def _levels(self, under: str) -> list[Any]:
        every, level = [], [self.configuration]
        while level:
            every += level
            level = [sub for each in level for sub in below(each).values()]
        return sorted(every, key=lambda each: under not in type(each).__name__.lower())

    @cached_property
    def choices(self) -> tuple[int, ...]:
        return (4,) if self.class_name.endswith("MultipleChoice") else ()

    @property
    def text(self) -> tuple[int, ...]:
        return (self.sizes.batch, *self.choices, self.sizes.text)

    @cached_property
    def image(self) -> tuple[int, int]:
        """Height and width of a picture."""
        size = self.find("image_size", "img_size", "input_size", under="vision")
        patch = side(self.find("patch_size", "patch_stride", under="vision")) or 16
        height, width = pair(size) if size and max(pair(size)) <= 512 else (4 * patch, 4 * patch)
        return self.sizes.height or max(height, 16), self.sizes.width or max(width, 16)

    @property
    def channels(self) -> int:
        return self.number("num_channels", "in_channels", "in_chans", under="vision") or 3


def below(configuration: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The sub-configurations of a configuration, by field."""
    return {k: v for k, v in vars(configuration).items() if is_configuration(v)}


def pair(size: Any) -> tuple[int, int]:  # noqa: ANN401  (an int, a pair or a mapping)
    """A size as height and width."""
    if isinstance(size, Mapping):
        return size.get("height", 0), size.get("width", 0)
    if isinstance(size, int):
        return size, size
    return int(size[0]), int(size[-1])


def side(size: Any) -> int | None:  # noqa: ANN401  (an int, a pair or None)
    return pair(size)[0] if size else None


def make(name: str, setting: Setting) -> Any:  # noqa: ANN401  (a tensor, or None: no rule)
    """The value of one parameter, None where nothing is known about it."""
    if name in setting.shapes:
        return from_words(name, setting.shapes[name], setting)
    if name in RULES:
        return RULES[name](setting)
    parameter = setting.parameters.get(name)
    if parameter is None or not parameter.shape:
        return None
    return from_words(name, parameter.shape, setting)


def tensor(name: str, shape: tuple[int, ...], setting: Setting, *, kind: str = "float") -> Any:  # noqa: ANN401  (a tensor)
    """Random numbers, whole ones in the vocabulary's upper range, or a mask."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    generator = setting.generator(name)
    if kind == "float":
        return torch.randn(shape, generator=generator)
    if kind == "mask":
        return torch.ones(shape, dtype=torch.long)
    if kind == "bool":
        return torch.rand(shape, generator=generator) < 0.5  # noqa: PLR2004
    return torch.randint(0, 2, shape, generator=generator)


def words(name: str, shape: tuple[int, ...], setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    """Token ids that are no special tokens."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    size = int(setting.find("vocab_size", "text_vocab_size", under="text") or 128)
    first = min(_FIRST_WORD, size // 2)
    return torch.randint(first, size, shape, generator=setting.generator(name))


def _input_ids(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    ids = words("input_ids", setting.text, setting)
    pad, eos = (
        setting.find("pad_token_id", under="text"),
        setting.find("eos_token_id", under="text"),
    )
    if isinstance(eos, int):
        ids[..., -1] = eos
    if isinstance(pad, int):
        ids[0, ..., -_PADDED:] = pad
        if isinstance(eos, int):
            ids[0, ..., -_PADDED - 1] = eos
    return ids


def _attention_mask(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    shape = setting.text
    if "input_ids" not in setting.parameters:
        if "input_values" in setting.parameters:
            shape = (setting.sizes.batch, setting.sizes.samples)
        elif "input_features" in setting.parameters:
            shape = (setting.sizes.batch, setting.sizes.frames)
    mask = tensor("attention_mask", shape, setting, kind="mask")
    mask[0, ..., -_PADDED * (shape[-1] // 10) :] = 0
    return mask


def _decoder_input_ids(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    return words("decoder_input_ids", (setting.sizes.batch, setting.sizes.decoder), setting)


def _pixel_values(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    if "image_grid_thw" in setting.parameters or "grid_thw" in setting.parameters:
        return _packed_pixels("pixel_values", setting)
    frames = setting.find("num_frames", under="video")
    lead = (setting.sizes.batch, frames) if frames else (setting.sizes.batch,)
    if setting.images:
        lead = (setting.sizes.batch, setting.images)
    return tensor("pixel_values", (*lead, setting.channels, *setting.image), setting)


def _packed_pixels(name: str, setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    patch = side(setting.find("patch_size", under="vision")) or 14
    deep = side(setting.find("temporal_patch_size", under="vision")) or 1
    time, height, width = setting.sizes.grid
    patches = setting.sizes.batch * time * height * width
    return tensor(name, (patches, setting.channels * deep * patch * patch), setting)


def _grid(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return torch.tensor([setting.sizes.grid] * setting.sizes.batch)


def _hidden_states(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    if "grid_thw" in setting.parameters:
        return _packed_pixels("hidden_states", setting)
    width = setting.number("hidden_size", "d_model") or 64
    return tensor("hidden_states", (setting.sizes.batch, setting.sizes.text, width), setting)


def _feature_mask(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    shape = (setting.sizes.batch, setting.sizes.frames)
    return tensor("input_features_mask", shape, setting, kind="mask")


def _pixel_values_videos(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    if "video_grid_thw" in setting.parameters:
        return _packed_pixels("pixel_values_videos", setting)
    frames = setting.find("num_frames", under="video") or setting.sizes.video_frames
    shape = (setting.sizes.batch, frames, setting.channels, *setting.image)
    return tensor("pixel_values_videos", shape, setting)


def _bins(setting: Setting) -> int:
    names = ("num_mel_bins", "feature_size", "n_mels", "input_feat_per_channel", "input_dim")
    more = ("feature_projection_input_dim", "num_mels", "mel_bins", "input_channels")
    return int(setting.number(*names, *more, under="audio") or 80)


def _input_features(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    bins = _bins(setting)
    frames, limit = setting.sizes.frames, setting.find("max_source_positions", under="audio")
    bins_first = bool(limit) and "Speech2Text" not in setting.class_name
    if bins_first:
        return tensor("input_features", (setting.sizes.batch, bins, 2 * limit), setting)
    return tensor("input_features", (setting.sizes.batch, frames, bins), setting)


def _input_values(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    parameter = setting.parameters.get("input_values")
    if parameter and len(parameter.shape) == 3:  # noqa: PLR2004
        channels = setting.find("audio_channels", under="audio") or 1
        return tensor(
            "input_values", (setting.sizes.batch, channels, setting.sizes.samples), setting
        )
    return tensor("input_values", (setting.sizes.batch, setting.sizes.samples), setting)


def _boxes(name: str, length: int) -> Callable[[Setting], Any]:
    def make_boxes(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
        import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

        lead = (setting.sizes.batch, *setting.choices, setting.sizes.text if length < 0 else length)
        corner = torch.randint(1, 100, (*lead, 2), generator=setting.generator(name))
        return torch.cat([corner, corner + 20], dim=-1)

    return make_boxes


def _image_sizes(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return torch.tensor([setting.image] * setting.sizes.batch)


RULES: dict[str, Callable[[Setting], Any]] = {
    "input_ids": _input_ids,
    "attention_mask": _attention_mask,
    "decoder_input_ids": _decoder_input_ids,
    "pixel_values": _pixel_values,
    "pixel_values_videos": _pixel_values_videos,
    "image_grid_thw": _grid,
    "video_grid_thw": _grid,
    "grid_thw": _grid,
    "input_features": _input_features,
    "input_values": _input_values,
    "hidden_states": _hidden_states,
    "input_features_mask": _feature_mask,
    "feature_attention_mask": _feature_mask,
    "bbox": _boxes("bbox", -1),
    "image_sizes": _image_sizes,
}

_BATCH = re.compile(r"batch_size|batch|bsz|bs|num_images|num_videos|num_audios|num_images_or_videos")


def from_words(name: str, shape: tuple[Any, ...], setting: Setting) -> Any:  # noqa: ANN401  (a tensor or None)
    """A tensor of a shape in words: `batch_size`, `sequence_length`, a field, a number."""
    sizes = tuple(_dimension(word, setting) for word in shape)
    if not all(sizes):
        return None
    known = tuple(each for each in sizes if each)
    return tensor(name, known, setting, kind=_kind(name, setting))


def _dimension(word: Any, setting: Setting) -> int | None:  # noqa: ANN401  (a number or a word)
    if isinstance(word, int) or word.isdecimal():
        return int(word)
    if "*" in word:
        factors = [_dimension(each.strip(), setting) for each in word.split("*")]
        return math.prod(each for each in factors if each) if all(factors) else None
    if _BATCH.fullmatch(word):
        return setting.sizes.batch
    if word in _WORDS:
        return _WORDS[word](setting)
    value = setting.find(word.removeprefix("config."))
    return value if isinstance(value, int) else None


def _kind(name: str, setting: Setting) -> str:
    documented = setting.parameters[name].kind if name in setting.parameters else ""
    if "Bool" in documented or name.startswith("bool_"):
        return "bool"
    if "mask" in name and "Float" not in documented:
        return "mask"
    return "whole" if "Long" in documented or "Int" in documented else "float"


def _patches(setting: Setting) -> int:
    patch = side(setting.find("patch_size", under="vision")) or 16
    return setting.image[0] // patch * (setting.image[1] // patch)


_LENGTH = (
    "sequence_length", "token_sequence_length", "seq_len", "seq_length", "seqlen", "text_seq_len",
    "text_sequence_length", "text_seq_length", "encoder_sequence_length", "num_tokens",
    "input_ids_length", "max_length",
)  # fmt: skip
_FEW = (
    "num_points", "num_boxes", "entity_length", "num_visual_features", "visual_seq_length",
    "num_predict", "num_latents", "num_prompt_frames", "max_mention_length", "episode_length",
)  # fmt: skip
_FRAMES = (
    "feature_sequence_length", "audio_length", "padded_feature_length", "max_audio_length",
    "frames", "num_audio_frames", "max_num_frames",
)  # fmt: skip
_WORDS: dict[str, Callable[[Setting], int | None]] = {
    **dict.fromkeys(_LENGTH, lambda s: s.sizes.text),
    **dict.fromkeys(_FEW, lambda s: s.sizes.few),
    **dict.fromkeys(_FRAMES, lambda s: s.sizes.frames),
    **dict.fromkeys(("samples", "time_steps", "num_samples"), lambda s: s.sizes.samples),
    **dict.fromkeys(("height", "image_size", "frame_size"), lambda s: s.image[0]),
    **dict.fromkeys(("num_channels", "channels"), lambda s: s.channels),
    **dict.fromkeys(("feature_dim", "num_banks", "feature_size", "mel_bins"), _bins),
    **dict.fromkeys(("num_patches", "image_num_patches", "patch_sequence_length"), _patches),
    "target_sequence_length": lambda s: s.sizes.decoder,
    "decoder_sequence_length": lambda s: s.sizes.decoder,
    "width": lambda s: s.image[1],
    "num_frames": lambda s: s.find("num_frames", under="video") or s.sizes.video_frames,
    "num_choices": lambda s: s.choices[0] if s.choices else None,
    "point_batch_size": lambda s: 2,
}
