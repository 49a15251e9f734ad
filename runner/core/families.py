"""Which family a model type is of, as its name tells: more isn't known of types without a run.

It is the letters that the name begins with, up to a digit or `_`: `qwen2_moe` and `qwen3` are
`qwen`, `gpt2` and `gpt_neox` are `gpt`. A name that begins with one letter is told by its first
part (`m2m_100` is `m2m`), or by all of it (`x_clip`).
"""

import re
from functools import cache

_LETTERS = re.compile(r"[a-z]{2,}")


@cache
def family_of(model_type: str) -> str:
    """The family of a model type."""
    name = model_type.lower().replace("-", "_")
    letters = _LETTERS.match(name)
    first = name.partition("_")[0]
    return letters[0] if letters else first if len(first) > 1 else name
