"""Failure groups that may have to do with one: what they are called, and what they are."""

import re
from collections.abc import Iterable

from runner.core.runs import FailureGroup

_WORD = re.compile(r"[A-Za-z_]{3,}")
_ALIKE = 0.3


def related(one: FailureGroup, others: Iterable[FailureGroup], *, limit: int) -> list[FailureGroup]:
    """Those of the same kind or the same stage whose titles share most words, likeliest first."""
    words = _words(one)
    scored = [
        (_alike(words, _words(each)) + 0.2 * (each.kind == one.kind), each)
        for each in others
        if each.signature != one.signature and (each.kind == one.kind or each.stage == one.stage)
    ]
    near = [(score, each) for score, each in scored if score >= _ALIKE]
    near.sort(key=lambda pair: (-pair[0], -pair[1].cells, pair[1].signature))
    return [each for _, each in near[:limit]]


def _words(group: FailureGroup) -> frozenset[str]:
    return frozenset(_WORD.findall(group.title.lower()))


def _alike(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0
