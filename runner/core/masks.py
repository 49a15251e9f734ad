"""What varies between two occurrences of the same failure, and the word that stands for it.

The table is ordered: an earlier mask takes its text from the later ones. A model's name is masked
too, because modeling files are generated copies of each other.
"""

import re

from runner.core.plain import uncontrolled

MASKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("<uuid>", re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)),
    ("<addr>", re.compile(r"\b0x[0-9a-f]{6,}\b", re.IGNORECASE)),
    ("<url>", re.compile(r"\bhttps?://[^\s'\"<>)]+")),
    ("<path>", re.compile(r"(?<![\w<])(?:/[\w.+@-]+){2,}(?::\d+)?")),
    (
        "<shape>",
        re.compile(
            r"(?<![\w)])(?:torch\.Size\()?[\[(]\s*[su]?\d+(?:\s*,\s*[su]?\d+)*,?\s*[\])]\)?"
        ),
    ),
    ("<shape>", re.compile(r"\{\d+(?:,\d+)*\}")),
    ("<shape>", re.compile(r"\b[1-9]\d*(?:x\d+)+\b")),
    ("<sym>", re.compile(r"\b(?:zuf|[usi])\d+\b")),
    ("<float>", re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?\b|(?<![\w.])-?\d+e[+-]?\d+\b")),
    ("<int>", re.compile(r"(?<![\w<])-?\d+(?![\w>])")),
    ("<name>", re.compile(r"(?<=\w)_\d+(?=_|\b)")),
)

_MODEL_PATH = re.compile(r"models/(?P<type>\w+)/")


def mask(text: str, *, model: str | None = None) -> str:
    """The text with everything masked that varies between occurrences."""
    text = uncontrolled(text)
    for word, pattern in MASKS:
        text = pattern.sub(word, text)
    return text if model is None else mask_model(text, model)


def mask_model(text: str, model: str) -> str:
    """`LlamaAttention` and `llama_attention` of the model type `llama` as `<model>…`.

    Whatever its case and underscores: `Qwen2Moe` is `qwen2_moe`.
    """
    letters = "_?".join(map(re.escape, model.replace("_", "")))
    return re.sub(rf"(?<![A-Za-z0-9]){letters}", "<model>", text, flags=re.IGNORECASE)


def model_of(path: str) -> str | None:
    """The model type that a path belongs to."""
    found = _MODEL_PATH.search(path)
    return found["type"] if found else None
