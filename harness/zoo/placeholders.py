"""Placeholders: as many image, video and audio tokens in a text as the model makes features.

The model is asked through its own `get_image_features` and so on; the tokens are put behind the
first word of every row, before its padding.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from harness.zoo.base import Inputs
from harness.zoo.setting import below
from harness.zoo.weights import seed_everything

#: kind -> the input that carries it, in order of preference
_CARRIERS = {
    "image": ("pixel_values",),
    "video": ("pixel_values_videos",),
    "audio": ("input_features", "input_values", "audio_input_ids"),
}


def place(model: Any, inputs: Inputs, *, known: Mapping[str, int]) -> tuple[Inputs, dict[str, int]]:  # noqa: ANN401  (a model)
    """The inputs with placeholders, and how many of each kind a row has.

    `known` are counts a row that an error told, for models that can't be asked.
    """
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    counts: dict[str, int] = {}
    if "input_ids" not in inputs or inputs["input_ids"].ndim != 2:
        return inputs, counts
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    kinds = torch.zeros_like(ids)
    for number, kind in enumerate(_CARRIERS, start=1):
        token = _token(model.config, kind)
        if token is None:
            continue
        features = known.get(kind, 0) * ids.shape[0] or _features(model, kind, inputs)
        if not features:
            continue
        counts[kind] = each = -(-features // ids.shape[0])
        ids = _insert(ids, token, each)
        kinds = _insert(kinds, number, each)
        mask = _insert(mask, 1, each) if mask is not None else None
    if not counts:
        return inputs, counts
    placed = {**inputs, "input_ids": ids}
    if mask is not None:
        placed["attention_mask"] = mask
    if "mm_token_type_ids" in inspect.signature(model.forward).parameters:
        placed["mm_token_type_ids"] = kinds
    return placed, counts


def _token(configuration: Any, kind: str) -> int | None:  # noqa: ANN401  (a PreTrainedConfig)
    """The placeholder's id, from the configuration or one below it."""
    for name in (f"{kind}_token_id", f"{kind}_token_index"):
        value = getattr(configuration, name, None)
        if isinstance(value, int):
            return value
    found = (_token(each, kind) for each in below(configuration).values())
    return next((token for token in found if token is not None), None)


def _features(model: Any, kind: str, inputs: Inputs) -> int:  # noqa: ANN401  (a model)
    """How many features the model makes of the inputs of a kind, over the batch."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    method = _method(model, kind, inputs)
    if method is None:
        return 0
    taken = _taken(method)
    seed_everything()
    with torch.no_grad():
        output = method(**{k: v for k, v in inputs.items() if k in taken})
    pooled = getattr(output, "pooler_output", output)
    return _rows(output.last_hidden_state if pooled is None else pooled)


def _method(model: Any, kind: str, inputs: Inputs) -> Any:  # noqa: ANN401  (a method or None)
    """The model's method, or the inner model's where the outer one hides some of what it takes."""
    found = [
        getattr(each, f"get_{kind}_features", None)
        for each in (model, getattr(model, "model", None))
    ]
    carried = {*_CARRIERS[kind]} & inputs.keys()
    asked = [each for each in found if each is not None and carried & _taken(each)]
    return max(asked, key=lambda each: len(_taken(each) & inputs.keys()), default=None)


def _taken(method: Any) -> set[str]:  # noqa: ANN401  (a method)
    return {*inspect.signature(method).parameters}


def _rows(features: Any) -> int:  # noqa: ANN401  (a tensor, or some)
    if isinstance(features, list | tuple):
        return sum(_rows(each) for each in features)
    if features is None or features.ndim < 2:
        return 0
    return int(features.numel() // features.shape[-1])


def _insert(rows: Any, value: int, times: int) -> Any:  # noqa: ANN401  (a tensor)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    middle = torch.full((rows.shape[0], times), value, dtype=rows.dtype)
    return torch.cat([rows[:, :1], middle, rows[:, 1:]], dim=1)
