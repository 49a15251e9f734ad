"""Tiny but faithful configurations: the default one of a class, rebuilt with small numbers.

A configuration is rebuilt as `type(default)(**changes)`, sub-configurations first, so that derived
fields are derived again and the library's own validation is in force. Rules, in this order:

1. an override of the family (`overrides.toml`);
2. special tokens: the same name means the same small id in every sub-configuration;
3. one entry a layer (`layer_types`, …): one layer of each kind is kept, at least two layers;
4. sizes by the name of the field: widths, heads, layers, experts, vocabulary, image sizes;
5. everything else stays, so that the code paths of the real architecture do.

A *rung* says how far rules 3 and 4 go. The first is right for most; the others are tried in turn.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH, INTERMEDIATE, HEADS, KEY_VALUE_HEADS, HEAD_DIM, VOCABULARY = 64, 96, 4, 2, 16, 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How a configuration is made smaller; `name` goes into the recipe."""

    name: str
    layers: int = 2
    #: keep one layer of each kind where the default alternates
    kinds: bool = True
    #: divide widths by this instead of setting them
    divide: int | None = None


RUNGS = (
    Rung(name="one layer of each kind"),
    Rung(name="two layers as derived", kinds=False),
    Rung(name="four layers", layers=4, kinds=False),
    Rung(name="widths divided by 8", divide=8, kinds=False),
)

_SPECIAL = ("pad", "bos", "eos", "sep", "cls", "mask", "unk", "image", "video", "audio")
_SPECIAL_FIELD = re.compile(r"(.*?)_?token_(?:id|index)$")

#: field name -> size; the first that matches
_SIZES: tuple[tuple[str, int], ...] = (
    (r"(.*_)?vocab_size|(.*_)?vocabulary_size", VOCABULARY),
    (r"initializer_.*|init_.*", 0),
    (
        r"num_key_value_heads|num_kv_heads|num_attention_groups|multi_query_group_num",
        KEY_VALUE_HEADS,
    ),
    (r".*(attention_heads|num_heads|n_heads?)|num_value_heads|attention_heads", HEADS),
    (r"(num_|n_)experts_per_tok(en)?|num_selected_experts|moe_k|moe_topk|top_?k(_experts)?", 2),
    (r"n_shared_experts|num_shared_experts|moe_num_shared_experts", 1),
    (r".*(num|n)_(local_|routed_)?experts", 4),
    (r"n_group", 2),
    (r"topk_group|first_k_dense_replace", 1),
    (r"qk_rope_head_dim", 8),
    (r".*head_dim|d_kv|attention_head_size|kv_channels", HEAD_DIM),
    (r".*lora_rank", 32),
    (
        r".*(intermediate_size|ffn_dim|ffn_hidden_size|mlp_dim|d_ff|d_inner|n_inner|intermediate_dim)",
        INTERMEDIATE,
    ),
    (r".*(num_hidden_layers|(?<!_token)_layers|n_layer|n_layers|depth|num_blocks)", -1),
    (
        r".*(hidden_size|hidden_dim|d_model|n_embd|embed_dim|embedding_size|projection_dim|emb_dim)",
        WIDTH,
    ),
    (r"embedding_dim|hidden_channels|dim_model|model_dim|classifier_proj_size|neck_dim", WIDTH),
    (r".*max_position_embeddings|n_positions|max_seq_len|n_ctx", 256),
    (r"max_source_positions", 32),
    (r"max_target_positions", 64),
    (r"num_queries|two_stage_num_proposals|num_query_tokens", 8),
    (r"sliding_window|attention_window_size", 8),
    (r"chunk_size|mamba_chunk_size|attention_chunk_size", 8),
    (r"codebook_size|num_embeddings", 64),
)
_SIZE_RULES = tuple((re.compile(pattern), size) for pattern, size in _SIZES)
_WIDTHS = frozenset({WIDTH, INTERMEDIATE, HEAD_DIM})
_STAGE_WIDTHS = re.compile(
    r".*(hidden_sizes|embed_dims|conv_dim|dims|encoder_hidden_sizes|neck_hidden_sizes|out_channels)"
)
_STAGE_DEPTHS = re.compile(r".*(depths|layer_depths|num_blocks|stage_layers)")


_KEEP = object()


@dataclass(slots=True, kw_only=True)
class Tokens:
    """Ids of special tokens: one id a name, given out as names are met."""

    ids: dict[str, int] = field(default_factory=lambda: {n: i for i, n in enumerate(_SPECIAL)})

    def of(self, name: str) -> int:
        return self.ids.setdefault(name, len(self.ids))


def is_configuration(value: Any) -> bool:  # noqa: ANN401  (any field of a configuration)
    return hasattr(value, "to_dict") and hasattr(value, "model_type")


def shrink(default: Any, *, rung: Rung, tokens: Tokens, overrides: Mapping[str, Any]) -> Any:  # noqa: ANN401  (a PreTrainedConfig of any revision)
    """A tiny configuration of the default's class; `overrides` are dotted paths -> values."""
    changes = dict(_changes(default, rung, tokens, overrides))
    own = {name: value for name, value in overrides.items() if "." not in name}
    return type(default)(**(changes | own))


def _changes(
    default: Any,  # noqa: ANN401  (a PreTrainedConfig)
    rung: Rung,
    tokens: Tokens,
    overrides: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    layers = _layers(default, rung)
    for each in dataclasses.fields(default):
        value = getattr(default, each.name, None)
        if is_configuration(value):
            below = _below(overrides, each.name)
            yield each.name, shrink(value, rung=rung, tokens=tokens, overrides=below)
            continue
        raw = None if each.default is dataclasses.MISSING else each.default
        new = _new_value(each.name, value, layers=layers, rung=rung, tokens=tokens)
        if new is _KEEP:
            new = value
        elif raw is None and each.name not in layers and each.name != "pad_token_id":
            continue  # derived: it is derived again from what it was derived from
        if isinstance(new, tuple):
            new = list(new)  # what a configuration read from JSON has
        if (raw is None and new == value) or new == raw:
            continue
        yield each.name, new
    yield from _image(default)
    yield from _sections(default)


def _below(overrides: Mapping[str, Any], name: str) -> dict[str, Any]:
    start = name + "."
    return {k.removeprefix(start): v for k, v in overrides.items() if k.startswith(start)}


def _new_value(
    name: str, value: Any, *, layers: Mapping[str, Any], rung: Rung, tokens: Tokens
) -> Any:  # noqa: ANN401  (any field of a configuration)
    if name in layers:
        return layers[name]
    if special := _SPECIAL_FIELD.fullmatch(name):
        return _special(special[1] or name, value, tokens)
    if isinstance(value, list | tuple) and value and all(type(each) is int for each in value):
        return _stages(name, value)
    if type(value) is int:
        return _size(name, value, rung)
    if isinstance(value, float) and name in ("initializer_range", "init_std"):
        return 0.1
    return _KEEP


def _image(default: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (a PreTrainedConfig)
    """Pictures of four patches a side."""
    patch = getattr(default, "patch_size", None)
    for name in ("image_size", "img_size"):
        size = getattr(default, name, None)
        if type(size) is int and type(patch) is int and size > 4 * patch:
            yield name, 4 * patch if patch >= 8 else 64


def _sections(default: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (a PreTrainedConfig)
    """Rotary sections (time, height, width) that fill half of the tiny head."""
    parameters = getattr(default, "rope_parameters", None) or {}
    if "mrope_section" in {*parameters, *getattr(default, "ignore_keys_at_rope_validation", ())}:
        yield "rope_parameters", {**parameters, "mrope_section": [2, 3, 3]}


def _special(name: str, value: Any, tokens: Tokens) -> Any:  # noqa: ANN401  (an id, some, or None)
    if isinstance(value, list | tuple):
        return [tokens.of(name)]
    if type(value) is int or name == "pad":
        return tokens.of(name)
    return _KEEP


def _stages(name: str, value: Sequence[int]) -> Any:  # noqa: ANN401  (same kind of sequence)
    if _STAGE_DEPTHS.fullmatch(name):
        return type(value)(min(each, 2) for each in value)
    if _STAGE_WIDTHS.fullmatch(name) and max(value) > WIDTH:
        divisor = next(d for d in (2, 4, 8, 16, 32, 64) if max(value) // d <= WIDTH)
        return type(value)(max(8, each // divisor // 8 * 8) for each in value)
    return _KEEP


def _size(name: str, value: int, rung: Rung) -> Any:  # noqa: ANN401  (an int or "keep")
    for pattern, size in _SIZE_RULES:
        if pattern.fullmatch(name):
            if size == 0:
                return _KEEP
            wanted = rung.layers if size < 0 else size
            if rung.divide and size in _WIDTHS:
                wanted = max(8, value // rung.divide)
            return min(value, wanted)
    return _KEEP


def _layers(default: Any, rung: Rung) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The fields that say how many layers there are and, one entry a layer, of what kind."""
    count = getattr(default, "num_hidden_layers", None)
    if type(count) is not int or count < 3:
        return {}
    lists = {
        each.name: value
        for each in dataclasses.fields(default)
        if isinstance(value := getattr(default, each.name, None), list | tuple)
        and len(value) == count
    }
    if not lists:
        return {}
    kept = _kept(list(zip(*lists.values(), strict=True)), rung)
    kinds = {
        name: type(value)(value[i] for i in kept)
        for name, value in lists.items()
        if rung.kinds or _raw(default, name) is not None
    }
    owner = _layer_count_field(default)
    return {**kinds, owner: len(kept)} if kinds else {}


def _kept(layers: Sequence[Any], rung: Rung) -> Sequence[int]:
    """Indices of the layers to keep: the first of each kind, or the first few."""
    if not rung.kinds:
        return range(min(rung.layers, len(layers)))
    first = sorted({repr(kind): i for i, kind in reversed(list(enumerate(layers)))}.values())
    return (first if len(first) > 1 else range(2))[:4]


def _raw(default: Any, name: str) -> Any:  # noqa: ANN401  (any field of a configuration)
    (each,) = (f for f in dataclasses.fields(default) if f.name == name)
    return None if each.default is dataclasses.MISSING else each.default


def _layer_count_field(default: Any) -> str:  # noqa: ANN401  (a PreTrainedConfig)
    return str(getattr(default, "attribute_map", {}).get("num_hidden_layers", "num_hidden_layers"))
