"""Tiny but faithful configurations: the default one of a class, rebuilt with small numbers.

A configuration is rebuilt as `type(default)(**changes)`, sub-configurations first, so that derived
fields are derived again and the library's own validation is in force. In this order:

1. an override of the family (`overrides.toml`) beats everything;
2. where the default has one entry a layer (`layer_types`, …), one layer of each kind is kept, and
   at least two;
3. pictures are four patches a side, rotary sections fill half of a head;
4. every other field goes by its name (`fields`).

A backbone from timm becomes the library's own where timm is not installed. What a revision has no
default for are the family's `parts`.
"""

import copy
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.zoo.discovery import installed
from harness.zoo.fields import HEAD_DIM, KEEP, WIDTH, Rung, Tokens, rebuilt

_SECTIONS = "mrope_section"
_WIDE = ("channels", "hidden_sizes")


def tiny(
    configuration_class: type[Any],
    *,
    rung: Rung,
    overrides: Mapping[str, Any],
    parts: Mapping[str, Any] = MappingProxyType({}),
) -> Any:  # noqa: ANN401  (a PreTrainedConfig)
    """The tiny configuration of a class on a rung; `overrides` are dotted paths -> values."""
    own = _own(configuration_class, overrides)
    try:
        default = configuration_class(**own)
    except Exception:  # noqa: BLE001  (tiny values may not fit what the others are by default)
        default = _default(configuration_class, parts)
    if towers := _towers(default):
        own = {**towers, **own}
        default = configuration_class(**own)
    backbone = getattr(default, "backbone_config", None)
    if getattr(backbone, "model_type", "") == "timm_backbone" and not installed("timm"):
        default = _with_own_backbone(configuration_class, own)
    return _shrink(default, rung=rung, tokens=Tokens(), overrides=overrides)


def _default(configuration_class: type[Any], parts: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a PreTrainedConfig)
    try:
        return configuration_class()
    except Exception:
        if not parts:
            raise
        return configuration_class(**copy.deepcopy(dict(parts)))


def _with_own_backbone(configuration_class: type[Any], own: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a PreTrainedConfig)
    try:
        return configuration_class(**own, use_timm_backbone=False)
    except OSError:  # until 5.20 the library asks the hub what backbone that is
        return configuration_class(
            **own, backbone_config={"model_type": "resnet", "out_features": ["stage4"]}
        )


def read_back(configuration: Any) -> Any:  # noqa: ANN401  (a PreTrainedConfig)
    """The configuration as it comes back from its JSON, which is what a checkpoint has of it.

    Tuples are lists then, and what upstream derives only on reading is derived.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        configuration.to_json_file(file)
        return type(configuration).from_json_file(file)


def _towers(default: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The encoders of pictures and sounds that are optional: all of them are there."""
    names = {each.name for each in dataclasses.fields(default)} & {"vision_config", "audio_config"}
    return {name: {} for name in sorted(names) if _read(default, name) is None}


def is_configuration(value: Any) -> bool:  # noqa: ANN401  (any field of a configuration)
    return hasattr(value, "to_dict") and hasattr(value, "model_type")


def _shrink(default: Any, *, rung: Rung, tokens: Tokens, overrides: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a PreTrainedConfig)
    own = _own(type(default), overrides)
    changes = {
        **_changed_fields(default, rung, tokens),
        **_kept_layers(default, rung),
        **_picture(default),
        **_pyramid(default),
        **_channels(default),
        **_hidden_tokens(default),
        **_sections(default),
        **_shrunk_below(default, rung, tokens, overrides),
        **_stages(default, rung),
        **{k: v for k, v in own.items() if not is_configuration(_read(default, k))},
    }
    try:
        return type(default)(**changes)
    except (TypeError, AttributeError):  # until 5.20 some take their parts as dictionaries alone
        plain = {k: v.to_dict() if is_configuration(v) else v for k, v in changes.items()}
        return type(default)(**plain)


def _own(configuration_class: type[Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides for this very configuration: `field`, or `ItsConfig.field` wherever it is."""
    start = f"{configuration_class.__name__}."
    named = {k.removeprefix(start): v for k, v in overrides.items() if k.startswith(start)}
    return {name: each for name, each in overrides.items() if "." not in name} | named


def _shrunk_below(
    default: Any,  # noqa: ANN401  (a PreTrainedConfig)
    rung: Rung,
    tokens: Tokens,
    overrides: Mapping[str, Any],
) -> dict[str, Any]:
    """The sub-configurations, each with the overrides that are about it."""
    undeclared = {name: _read(default, name) for name in getattr(default, "sub_configs", ())}
    subs = {n: v for n, v in (undeclared | _fields(default)).items() if is_configuration(v)}
    return {
        name: _shrink(sub, rung=rung, tokens=tokens, overrides=_under(name, overrides))
        for name, sub in subs.items()
    }


def _under(name: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """What begins with the field, what it is given whole, and what goes by a class's name."""
    start, whole = f"{name}.", overrides.get(name)
    below = {k.removeprefix(start): v for k, v in overrides.items() if k.startswith(start)}
    named = {k: v for k, v in overrides.items() if k[0].isupper()}
    return {**(whole if isinstance(whole, Mapping) else {}), **below, **named}


def _changed_fields(default: Any, rung: Rung, tokens: Tokens) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    raw = {each.name: _declared(each) for each in dataclasses.fields(default)}
    heads = _read(default, "num_attention_heads")
    changes = {}
    for name, value in _fields(default).items():
        if is_configuration(value) or name.startswith("_"):
            continue
        if isinstance(value, list | tuple) and "stage_in_channels" in raw:
            continue  # widths of stages that must stay each other's
        new = rebuilt(
            name, value, rung=rung, tokens=tokens, heads=heads if type(heads) is int else 0
        )
        listed = isinstance(new, list) and not isinstance(value, int)
        derived = raw[name] is None and value is not None and name != "pad_token_id" and not listed
        new = value if new is KEEP else new
        if not derived and new != raw[name]:
            changes[name] = new
    return changes


def _fields(default: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    return {each.name: _read(default, each.name) for each in dataclasses.fields(default)}


def _read(default: Any, name: str) -> Any:  # noqa: ANN401  (any field of a configuration)
    try:
        return getattr(default, name, None)
    except RuntimeError:  # a field that differs by layer has no one value to read
        return vars(default).get(name)


def _declared(each: "dataclasses.Field[Any]") -> Any:  # noqa: ANN401  (any field's default)
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return None if each.default is dataclasses.MISSING else each.default


def _kept_layers(default: Any, rung: Rung) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The fields that say how many layers there are and, one entry a layer, of what kind."""
    count = None if _layer_count(default) == "num_stages" else _read(default, "num_hidden_layers")
    lists = {
        name: value
        for name, value in _fields(default).items()
        if isinstance(value, list | tuple) and len(value) == count and len(value) > 2
    }
    if not lists:
        return {}
    kept = _kept(list(zip(*lists.values(), strict=True)), rung)
    declared = {each.name for each in dataclasses.fields(default) if _declared(each) is not None}
    kinds = {n: [v[i] for i in kept] for n, v in lists.items() if rung.kinds or n in declared}
    return {**kinds, _layer_count(default): len(kept)} if kinds else {}


def _kept(layers: Sequence[Any], rung: Rung) -> Sequence[int]:
    """Indices of the layers to keep: the first of each kind, or the first few."""
    if not rung.kinds:
        return range(min(rung.layers, len(layers)))
    first = sorted({repr(kind): i for i, kind in reversed(list(enumerate(layers)))}.values())
    return (first if len(first) > 1 else range(2))[:4]


def _layer_count(default: Any) -> str:  # noqa: ANN401  (a PreTrainedConfig)
    return str(default.attribute_map.get("num_hidden_layers", "num_hidden_layers"))


def _picture(default: Any) -> dict[str, int]:  # noqa: ANN401  (a PreTrainedConfig)
    """Pictures of four patches a side, and not below 64 pixels where patches are small."""
    patches = (_read(default, "patch_size"), _read(default, "tubelet_size"), 16)
    patch = next(each for each in map(_side, patches) if each)
    sizes = {name: _read(default, name) for name in ("image_size", "img_size")}
    return {
        name: 4 * patch if patch >= 8 else 64
        for name, size in sizes.items()
        if type(size) is int and size > max(4 * patch, 64)
    }


def _side(patch: Any) -> int:  # noqa: ANN401  (an int, a list or None)
    if isinstance(patch, list | tuple) and patch:
        return _side(patch[-1])
    return patch if type(patch) is int else 0


def _pyramid(default: Any) -> dict[str, int]:  # noqa: ANN401  (a PreTrainedConfig)
    """The first width of a pyramid that doubles it at each of its stages, and small windows."""
    changes = {}
    if isinstance(_read(default, "depths"), list | tuple):
        width, window = _read(default, "embed_dim"), _read(default, "window_size")
        if type(width) is int and width > WIDTH:
            changes["embed_dim"] = width // 4
        if type(window) is int:
            changes["window_size"] = 2
    return changes


def _channels(default: Any) -> dict[str, list[int]]:  # noqa: ANN401  (a PreTrainedConfig)
    """The channels of a pyramid's stages, all divided alike, since one's come out of another's."""
    widest = max(_read(default, "stage_out_channels") or (0,))
    if (
        "stage_in_channels" not in _fields(default)
        or not isinstance(widest, int)
        or widest <= WIDTH
    ):
        return {}
    lists = {n: v for n, v in _fields(default).items() if n.endswith(_WIDE) and _whole(v)}
    return {
        name: [each if each < 8 else max(8, each * WIDTH // widest // 8 * 8) for each in value]
        for name, value in lists.items()
    }


def _whole(value: Any) -> bool:  # noqa: ANN401  (any field of a configuration)
    return isinstance(value, list | tuple) and all(type(each) is int for each in value)


def _hidden_tokens(default: Any) -> dict[str, int]:  # noqa: ANN401  (a PreTrainedConfig)
    """Special tokens that are no fields: kept by other means, or said by checkpoints only."""
    names = {each.name for each in dataclasses.fields(default)}
    hidden = {}
    if "pad_token_id" not in names and type(getattr(default, "pad_token_id", None)) is int:
        hidden["pad_token_id"] = 0
    start = getattr(default, "decoder_start_token_id", None)
    if getattr(default, "is_encoder_decoder", False) and start is None:
        hidden["decoder_start_token_id"] = 0
    return hidden


def _sections(default: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """Rotary sections (time, height, width) that fill half of the tiny head."""
    parameters = _read(default, "rope_parameters") or {}
    expects = getattr(default, "ignore_keys_at_rope_validation", ())
    if any(isinstance(each, Mapping) for each in parameters.values()):
        return {}
    if _SECTIONS not in parameters and _SECTIONS not in expects:
        return {}
    sections = parameters.get(_SECTIONS, [16, 24, 24])
    partial = parameters.get("partial_rotary_factor") or 1
    half = int(HEAD_DIM * partial / 2)
    return {"rope_parameters": {**parameters, _SECTIONS: _scaled(sections, half)}}


def _scaled(sections: Sequence[int], total: int) -> list[int]:
    """Whole numbers in about the same proportions that add up to `total`."""
    exact = [each * total / sum(sections) for each in sections]
    rounded = [int(each) for each in exact]
    order = sorted(range(len(exact)), key=lambda i: rounded[i] - exact[i])
    for i in order[: total - sum(rounded)]:
        rounded[i] += 1
    return rounded


def _stages(default: Any, rung: Rung) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The stages that a backbone gives: the same ones, or the last ones where there are fewer."""
    if "_out_indices" not in _fields(default):
        return {}
    indices, count = list(default.out_indices), _read(default, "num_hidden_layers")
    if type(count) is not int or "depths" in _fields(default):
        return {"out_indices": indices}
    if len(indices) == 1:
        return {}
    return {"out_indices": list(range(min(count, rung.layers) + 1))[-len(indices) :]}
