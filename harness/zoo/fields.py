"""What one field of a configuration becomes, by its name: the rules for special tokens and sizes.

Numbers only ever get smaller. What no rule names stays as it is, so that the code paths of the
real architecture do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH, INTERMEDIATE, HEADS, KEY_VALUE_HEADS, HEAD_DIM, VOCABULARY = 64, 96, 4, 2, 16, 128
_LARGE, _UNSET, _SMALLEST = 128, 100_000, 8
KEEP = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How a configuration is made smaller; `name` goes into the recipe."""

    name: str
    layers: int = 2
    #: keep one layer of each kind where the default alternates
    kinds: bool = True
    #: give a size to fields that are unset by default
    fill: bool = False
    #: divide widths by this instead of setting them
    divide: int | None = None
    #: divide what no rule knows, if it is large
    unknown: bool = False


RUNGS = (
    Rung(name="one layer of each kind"),
    Rung(name="unset sizes filled", fill=True),
    Rung(name="two layers as derived", kinds=False),
    Rung(name="four layers", layers=4, kinds=False),
    Rung(name="all that is large divided", kinds=False, unknown=True),
    Rung(name="widths divided by 8", divide=8, kinds=False),
)

_SPECIAL = ("pad", "bos", "eos", "sep", "cls", "mask", "unk", "image", "video", "audio")
_SPECIAL_FIELD = re.compile(r"(.*?)_?token_(?:id|index|idx)")

_LAYERS = -1
#: field name -> size; the first that matches
_SIZES = tuple(
    (re.compile(pattern), size)
    for pattern, size in (
        (r"(.*_)?(vocab_size|vocabulary_size)(_per_layer_input)?", VOCABULARY),
        (r"hidden_size_per_layer_input", 16),
        (r"(.*_)?num_(key_value|kv)_heads|n_head_kv|multi_query_group_num", KEY_VALUE_HEADS),
        (r"adapter_(in|out|input|output)_(dim|size)", WIDTH),
        (r"mamba_(n|num)_heads", 8),
        (r".*(attention_heads|num_heads|n_heads?|num_value_heads|num_key_heads)", HEADS),
        (r"(num_|n_)experts_per_tok(en)?|num_selected_experts|moe_k|moe_topk|top_?k_experts?", 2),
        (r"num_groups|mm_tokens_per_image", 4),
        (r"n_shared_experts|(moe_)?num_shared_experts", 1),
        (r".*(num|n)_(local_|routed_)?experts", 4),
        (r"n_group", 2),
        (r"topk_group|first_k_dense_replace", 1),
        (r"rotary_dim", 8),
        (r"num_pos_feats|base_channels", 32),
        (r"num_filters", 8),
        (r"num_frames", 4),
        (r"qk_nope_head_dim|v_head_dim", 24),
        (r"mamba_d_head|.*head_dim|d_kv|attention_head_size|kv_channels", HEAD_DIM),
        (r".*lora_rank", 32),
        (r".*(intermediate_(size|dim)|ffn_dim|ffn_hidden_size|mlp_dim|d_ff)", INTERMEDIATE),
        (r".*(n_inner|feedforward(_dim)?)", INTERMEDIATE),
        (r".*(num_hidden_layers|(?<!token)_layers|n_layer|depth|num_blocks)", _LAYERS),
        (r".*(hidden_(size|dim)|d_model|n_embd|emb(ed)?_dim|embedding_size|projection_dim)", WIDTH),
        (r"embedding_dim|hidden_channels|upsample_groups|output_channels|d_latents", WIDTH),
        (r"(dim_)?model(_dim)?|post_conv_in_channels|classifier_proj_size", WIDTH),
        (r".*max_position_embeddings|n_positions|max_seq_len|n_ctx", 256),
        (r"max_source_positions", 32),
        (r"max_target_positions", 64),
        (r"num_queries|two_stage_num_proposals|num_query_tokens", 8),
        (r"sliding_window|attention_window_size|(mamba_|attention_)?chunk_size", 8),
        (r"codebook_size|num_embeddings", 64),
    )
)
_WIDTHS = frozenset({WIDTH, INTERMEDIATE, HEAD_DIM})
_NO_SIZE = re.compile(r".*(image|img|patch|sampling|sample_rate|stride|kernel|theta|hop|mel|fft).*")
_STAGE_WIDTHS = re.compile(
    r".*(hidden_sizes|embed_dims|embed_dim_per_stage|conv_dim|dims|(en|de)coder_in_channels)"
)
_LAYER_INDICES = re.compile(r".*(out_indices|indexes|indices|feature_layers?|(out|extract)_layers)")
_LAYER_KINDS = {"layer_types": ["full_attention"] * 2, "mlp_layer_types": ["dense", "sparse"]}
_STAGE_DEPTHS = re.compile(r".*(depths|blocks_per_stage|num_blocks|stage_layers)")


@dataclass(slots=True, kw_only=True)
class Tokens:
    """Ids of special tokens: one id a name, given out as names are met."""

    ids: dict[str, int] = field(default_factory=lambda: {n: i for i, n in enumerate(_SPECIAL)})

    def of(self, name: str) -> int:
        return self.ids.setdefault(name, len(self.ids))


def rebuilt(name: str, value: Any, *, rung: Rung, tokens: Tokens, heads: int) -> Any:  # noqa: ANN401  (any field)
    """The field's new value, or `KEEP`; `heads` is how many attention heads the default has."""
    if special := _SPECIAL_FIELD.fullmatch(name):
        return _special(special[1] or name, value, tokens)
    if isinstance(value, list | tuple) and value and all(type(each) is int for each in value):
        return _stages(name, value, rung)
    if type(value) is int:
        return _size(name, value, rung, heads)
    if value is None and rung.fill:
        return _LAYER_KINDS.get(name) or _size(name, _UNSET, rung, heads)
    if isinstance(value, float) and name in ("initializer_range", "init_std"):
        return 0.1
    return KEEP


def _special(name: str, value: Any, tokens: Tokens) -> Any:  # noqa: ANN401  (an id, some, or None)
    if isinstance(value, list | tuple):
        return [tokens.of(name)]
    unset = name in ("pad", "image", "video", "audio")
    return tokens.of(name) if type(value) is int or unset else KEEP


def _stages(name: str, value: Sequence[int], rung: Rung) -> Any:  # noqa: ANN401  (a list or KEEP)
    if _LAYER_INDICES.fullmatch(name) and max(value) >= rung.layers:
        return _spread(len(value), rung.layers)
    if _STAGE_DEPTHS.fullmatch(name):
        return [min(each, 2) for each in value]
    if max(value) > WIDTH and (_STAGE_WIDTHS.fullmatch(name) or _unknown(name, rung)):
        divisor = next(d for d in (2, 4, 8, 16, 32, 64, 128) if max(value) // d <= INTERMEDIATE)
        return [max(_SMALLEST, each // divisor // 4 * 4) for each in value]
    return KEEP


def _spread(count: int, layers: int) -> list[int]:
    """Indices of `count` layers, the last one among them."""
    return [max(0, (i + 1) * layers // count - 1) for i in range(count)]


def _size(name: str, value: int, rung: Rung, heads: int) -> Any:  # noqa: ANN401  (an int or KEEP)
    for pattern, size in _SIZES:
        if pattern.fullmatch(name):
            return min(value, _wanted(size, value, rung, heads))
    if _LARGE < value < _UNSET and _unknown(name, rung):
        return max(_SMALLEST, value // 8)
    return KEEP


def _wanted(size: int, value: int, rung: Rung, heads: int) -> int:
    if size == _LAYERS:
        return rung.layers
    if size == KEY_VALUE_HEADS and value >= heads:
        return HEADS
    if rung.divide and size in _WIDTHS:
        return max(_SMALLEST, value // rung.divide)
    return size


def _unknown(name: str, rung: Rung) -> bool:
    return rung.unknown and not _NO_SIZE.fullmatch(name)
