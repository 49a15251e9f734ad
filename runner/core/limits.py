"""What a cell may take: ordered rules, of which the first that holds and says a limit gives it.

`runner/limits.toml` holds the project's, whose last holds for every cell. A user's own come before
them, and what an option says before all.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from harness.cells import Cell
from harness.errors import MatrixError, SelectionError, nearest
from harness.terms import Terms
from runner.core.select import Selection, parse_words

_TYPES: dict[str, tuple[type, ...]] = {
    "cells": (str,),
    "reason": (str,),
    "time_s": (int, float),
    "memory_mib": (int,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule:
    """One entry of a file of limits; what it leaves out, a later rule says."""

    #: which cells, as SELECT has it
    cells: str
    reason: str
    time_s: float | None = None
    memory_mib: int | None = None


@cache
def project_rules() -> tuple[LimitRule, ...]:
    """The project's own rules, in order."""
    text = files("runner").joinpath("limits.toml").read_text(encoding="utf-8")
    return read_rules(text, name="limits.toml")


def read_rules(text: str, *, name: str) -> tuple[LimitRule, ...]:
    """The rules of a file; `MatrixError` says what is wrong with it, by its name."""
    try:
        return tuple(map(_rule, _rows(tomllib.loads(text))))
    except (tomllib.TOMLDecodeError, SelectionError) as error:
        raise MatrixError(f"{name}: {error}") from None


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = found.pop("rule", [])
    if found or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SelectionError("it holds rules and nothing else; each begins with [[rule]]")
    return rows


def _rule(row: dict[str, Any]) -> LimitRule:
    for key, value in row.items():
        if key not in _TYPES:
            raise SelectionError(f"unknown key {key!r}{nearest(key, _TYPES)}")
        if type(value) not in _TYPES[key] or not value or value < type(value)():
            raise SelectionError(f"{key} can't be {value!r}")
    if lacking := [key for key in ("cells", "reason") if key not in row]:
        raise SelectionError(f"a rule has no {lacking[0]!r}")
    rule = LimitRule(**row)
    _selection(rule.cells)
    return rule


def one_rule(
    *, time_s: float | None = None, memory_mib: int | None = None
) -> tuple[LimitRule, ...]:
    """The rule that an option is; none if neither is given."""
    rule = LimitRule(cells="*", reason="an option", time_s=time_s, memory_mib=memory_mib)
    return () if time_s is None and memory_mib is None else (rule,)


def limited(cell: Cell, rules: Sequence[LimitRule]) -> Terms:
    """What the rules let a cell take; what none of them says is as usual."""
    hold = [rule for rule in rules if _selection(rule.cells).matches_cell(cell)]
    times = [rule.time_s for rule in hold if rule.time_s is not None]
    sizes = [rule.memory_mib for rule in hold if rule.memory_mib is not None]
    usual = Terms()
    return Terms(
        time_limit_s=next(iter(times), usual.time_limit_s),
        memory_limit_mib=next(iter(sizes), usual.memory_limit_mib),
    )


@cache
def _selection(cells: str) -> Selection:
    return parse_words(cells.split())
