"""What the word that is being typed may become."""

import re
from collections.abc import Iterable, Mapping

from harness.cells import folded
from runner.core.query.nodes import NUMBERS, STATES
from runner.core.query.reader import OPERATORS
from runner.core.select import KEYS, VALUES


def key_of(text: str) -> str:
    """The key that the last word of the text has: `owner` of `backend:onnx owner:py`; else `""`."""
    key, colon, _ = _last(text).partition(":")
    return key.lower() if colon else ""


def complete(text: str, values: Mapping[str, Iterable[str]], *, limit: int = 12) -> list[str]:
    """The keys that the last word of the text may become, or the values of its key.

    `values` holds what is there to be named, by key (`""` for bare words).
    """
    last = _last(text)
    key, colon, begun = last.partition(":")
    if colon:
        known = {**VALUES, "is": STATES, **values}.get(key.lower(), ())
        offered = [f"{key}:{value}" for value in known if folded(value).startswith(folded(begun))]
    else:
        names = [f"{name}:" for name in (*KEYS, "is")] + [f"{name}>" for name in NUMBERS]
        names += [*values.get("", ()), *OPERATORS[:3]]
        offered = [name for name in names if folded(name).startswith(folded(last))]
    return list(dict.fromkeys(offered))[:limit]


def _last(text: str) -> str:
    return re.split(r"[\s()]", text)[-1]
