"""Tensors from documented shapes: words such as `batch_size` become sizes.

A word is a number, a product or a sum of words, one of the library's habitual words for a
dimension, a field of the configuration, or the length of one, `len(config.target_layer_ids)`. A
parameter one of whose words is unknown has no value.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.zoo.setting import Setting, tensor

_BATCH = re.compile(
    r"batch_size|batch|bsz|bs|num_images|num_videos|num_audios|num_images_or_videos"
)


_LENGTH_OF = re.compile(r"len\((?:config\.)?(\w+)\)")


def from_words(name: str, shape: Any, setting: Setting) -> Any:  # noqa: ANN401  (a shape or several; a tensor, several or None)
    """A tensor of a shape in words: `batch_size`, `sequence_length`, a field, a number.

    A table of shapes becomes a table of tensors, a list of shapes a tuple of them; each tensor goes
    by a dotted name, `inputs.image`.
    """
    if isinstance(shape, Mapping):
        return {key: from_words(f"{name}.{key}", each, setting) for key, each in shape.items()}
    if all(isinstance(each, list | Mapping) for each in shape) and shape:
        return tuple(from_words(f"{name}.{i}", each, setting) for i, each in enumerate(shape))
    sizes = tuple(_dimension(word, setting) for word in shape)
    if not all(sizes):
        return None
    known = tuple(each for each in sizes if each)
    return tensor(name, known, setting, kind=_kind(name, setting))


def _dimension(word: Any, setting: Setting) -> int | None:  # noqa: ANN401  (a number or a word)
    if isinstance(word, int) or word.isdecimal():
        return int(word)
    for sign, joined in (("+", sum), ("*", math.prod)):
        if sign in word:
            parts = [_dimension(each.strip(), setting) for each in word.split(sign)]
            return joined(each for each in parts if each) if all(parts) else None
    if listed := _LENGTH_OF.fullmatch(word):
        return len(setting.find(listed[1]) or ())
    if _BATCH.fullmatch(word):
        return setting.sizes.batch
    if word in _WORDS:
        return _WORDS[word](setting)
    value = setting.find(word.removeprefix("config."))
    return value if isinstance(value, int) else None


def _kind(name: str, setting: Setting) -> str:
    if name in setting.kinds:
        return setting.kinds[name]
    documented = setting.parameters[name].kind if name in setting.parameters else ""
    if "Bool" in documented or name.startswith("bool_"):
        return "bool"
    if "mask" in name and "Float" not in documented:
        return "mask"
    return "whole" if "Long" in documented or "Int" in documented else "float"


_LENGTH = (
    "sequence_length", "token_sequence_length", "seq_len", "seq_length", "seqlen", "text_seq_len",
    "text_sequence_length", "text_seq_length", "encoder_sequence_length", "num_tokens",
    "input_ids_length", "max_length", "number_of_previous_accepted_tokens",
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
    **dict.fromkeys(("feature_dim", "num_banks", "feature_size", "mel_bins"), lambda s: s.bins),
    **dict.fromkeys(
        ("num_patches", "image_num_patches", "patch_sequence_length"), lambda s: s.patches
    ),
    "grid_patches": lambda s: math.prod(s.sizes.grid),
    "target_sequence_length": lambda s: s.sizes.decoder,
    "decoder_sequence_length": lambda s: s.sizes.decoder,
    "width": lambda s: s.image[1],
    "num_frames": lambda s: s.find("num_frames", under="video") or s.sizes.video_frames,
    "num_choices": lambda s: s.choices[0] if s.choices else None,
    "dim": lambda s: s.number("dim", "hidden_size"),
    "point_batch_size": lambda s: 2,
}
