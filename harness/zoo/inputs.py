"""Sample inputs: what each parameter of a forward is given.

A value depends on the parameter's name, the sizes, the configuration and the seed; never on which
other inputs there are. Rules by name come first, then the documented shape.

- texts are right-padded in their first row, with ids above the special tokens;
- an encoder's and a decoder's text differ in length;
- a picture is as large as the configuration asks, or four patches a side.
"""

from collections.abc import Callable, Sequence
from typing import Any

from harness.zoo.dimensions import from_words
from harness.zoo.setting import Setting, side, tensor

_PADDED = 2
_FIRST_WORD = 40


def make(name: str, setting: Setting) -> Any:  # noqa: ANN401  (a tensor, or None: no rule)
    """The value of one parameter, None where nothing is known about it."""
    if name in setting.values:
        return _given(setting.values[name])
    if name in setting.shapes:
        made = from_words(name, setting.shapes[name], setting)
        return _cache(made) if name == "past_key_values" else made
    if name in RULES:
        return RULES[name](setting)
    parameter = setting.parameters.get(name)
    if parameter is None or not parameter.shape:
        return None
    return from_words(name, parameter.shape, setting)


def _given(value: Any) -> Any:  # noqa: ANN401  (a number or a tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return torch.tensor(value) if isinstance(value, list) else value


def _cache(layers: Sequence[tuple[Any, Any]]) -> Any:  # noqa: ANN401  (a Cache)
    """What was seen before, from each layer's keys and values."""
    from transformers import DynamicCache  # noqa: PLC0415  (heavy)

    cache = DynamicCache()
    for layer, (keys, values) in enumerate(layers):
        cache.update(keys, values, layer)
    return cache


def words(name: str, shape: tuple[int, ...], setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    """Token ids that are no special tokens."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    size = int(setting.find("vocab_size", "text_vocab_size", under="text") or 128)
    first = min(_FIRST_WORD, size // 2)
    return torch.randint(first, size, shape, generator=setting.generator(name))


def _input_ids(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    ids = words("input_ids", setting.text, setting)
    pad = setting.find("pad_token_id", under="text")
    eos = setting.find("eos_token_id", under="text")
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
    deep = side(setting.find("temporal_patch_size", "patch_temporal", under="vision")) or 1
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


def _input_features(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    limit = setting.find("max_source_positions", under="audio")
    shape = (setting.sizes.batch, setting.sizes.frames, setting.bins)
    if limit and "Speech2Text" not in setting.class_name:
        shape = (setting.sizes.batch, setting.bins, 2 * limit)
    return tensor("input_features", shape, setting)


def _input_values(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    parameter = setting.parameters.get("input_values")
    if parameter and len(parameter.shape) == 3:
        channels = setting.find("audio_channels", under="audio") or 1
        shape: tuple[int, ...] = (setting.sizes.batch, channels, setting.sizes.samples)
    else:
        shape = (setting.sizes.batch, setting.sizes.samples)
    return tensor("input_values", shape, setting)


def _bbox(setting: Setting) -> Any:  # noqa: ANN401  (a tensor)
    """Boxes on a page of 1,000 by 1,000: their upper left corner comes first."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    corner = torch.randint(1, 100, (*setting.text, 2), generator=setting.generator("bbox"))
    return torch.cat([corner, corner + 20], dim=-1)


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
    "bbox": _bbox,
    "image_sizes": _image_sizes,
}
