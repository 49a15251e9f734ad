"""What the tracebacks of several failures have in common, so that it stands out from the rest.

Lines are held against lines, and where one line took another's place, words against words. What is
common is common to all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
#: what is longer is held against others in its last lines, where it says what happened
_LINES, _TOKENS = 400, 300


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a line."""

    text: str
    common: bool


def common_parts(text: str, others: Sequence[str]) -> list[tuple[Part, ...]]:
    """The lines of a text, in parts; with nothing to compare it with, nothing is common."""
    lines = text.splitlines()[-_LINES:]
    if not others:
        return [(Part(line, common=False),) for line in lines]
    tokens = [_TOKEN.findall(line) for line in lines]
    holds = [[True] * len(each) for each in tokens]
    for other in others:
        for index, same in enumerate(_same(lines, tokens, other.splitlines()[-_LINES:])):
            holds[index] = [one and two for one, two in zip(holds[index], same, strict=True)]
    return [_joined(*line) for line in zip(tokens, holds, strict=True)]


def _same(
    lines: Sequence[str], tokens: Sequence[Sequence[str]], other: Sequence[str]
) -> list[list[bool]]:
    """For each token of each line, whether it stands at its place in the other text too."""
    found = [[False] * len(each) for each in tokens]
    matcher = SequenceMatcher(None, lines, other, autojunk=False)
    for what, start, end, there, until in matcher.get_opcodes():
        if what == "equal":
            found[start:end] = [[True] * len(each) for each in tokens[start:end]]
        elif what == "replace":
            for index, line in zip(range(start, end), other[there:until], strict=False):
                found[index] = _words(tokens[index], _TOKEN.findall(line))
    return found


def _words(tokens: Sequence[str], other: Sequence[str]) -> list[bool]:
    same = [False] * len(tokens)
    if max(len(tokens), len(other)) > _TOKENS:
        return same
    for start, _, size in SequenceMatcher(
        None, tokens, other, autojunk=False
    ).get_matching_blocks():
        same[start : start + size] = [True] * size
    return same


def _joined(tokens: Sequence[str], holds: Sequence[bool]) -> tuple[Part, ...]:
    pairs = groupby(zip(tokens, holds, strict=True), key=lambda pair: pair[1])
    return tuple(Part("".join(token for token, _ in run), common) for common, run in pairs)
