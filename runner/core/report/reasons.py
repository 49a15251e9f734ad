"""Why cells were skipped, in words that can be counted.

The first pattern that is found gives the word; what none knows is told by its beginning, without
names, numbers and what stands behind a colon.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_WORDS = (
    (r"GuardOnDataDependent|data[- ]dependent", "data-dependent guard"),
    (r"Expected cond to be True", "cond assertion"),
    (r"is not installed|requires? [\w, ]+ to be installed|test requires", "missing package"),
    (r"^abstract", "abstract class"),
    (r"takes more than tensors", "its forward takes more than tensors"),
    (r"helper of other classes", "a helper of other classes"),
    (r"custom cache|mixtures? of experts|not [\w ]*exportable", "declared skip"),
)
_LENGTH = 80
NO_REASON = "no reason given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A reason, and how many cells have it."""

    word: str
    count: int
    #: the most frequent text that it stands for, where that says more
    example: str = ""


def word(reason: str | None) -> str:
    """The word for a skip's reason."""
    if not reason or not reason.strip():
        return NO_REASON
    for pattern, found in _WORDS:
        if re.search(pattern, reason, re.IGNORECASE):
            return found
    said = reason.strip().splitlines()[0].partition(": ")[0]
    masked = re.sub(r"`[^`]*`|'[^']*'|\b[A-Z]\w*[A-Z]\w*\b", "…", re.sub(r"\d+", "N", said))
    return masked[:_LENGTH]


def counted(reasons: Iterable[str | None]) -> tuple[Count, ...]:
    """The words of all reasons, the most frequent first."""
    texts: dict[str, Counter[str]] = {}
    for reason in reasons:
        texts.setdefault(word(reason), Counter())[(reason or "").strip()] += 1
    counts = [
        Count(word=each, count=found.total(), example=_example(each, found))
        for each, found in texts.items()
    ]
    return tuple(sorted(counts, key=lambda each: (-each.count, each.word)))


def _example(found: str, texts: Counter[str]) -> str:
    text = min(texts, key=lambda each: (-texts[each], each))
    return "" if text == found else text
