"""The override table: what a family's cases need beyond the rules, and why."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the table says about one model class."""

    reasons: tuple[str, ...] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    #: sub-configurations, for revisions that have no default for them
    parts: Mapping[str, Any] = field(default_factory=dict)
    add: tuple[str, ...] = ()
    drop: frozenset[str] = frozenset()
    #: the words of a shape, or a table or a list of such shapes
    shapes: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    placeholders: Mapping[str, int] = field(default_factory=dict)

    @property
    def spelled(self) -> frozenset[str]:
        """Inputs whose shape or value the table spells out."""
        return frozenset({*self.shapes, *self.values})


def override(model_type: str, model_class: str) -> Override:
    """The family's table and, above it, the class's own."""
    family = _table().get(model_type, {})
    levels = [family, family.get(model_class, {})]
    return Override(
        reasons=tuple(level["reason"] for level in levels if "reason" in level),
        configuration={k: v for level in levels for k, v in level.get("configuration", {}).items()},
        parts={k: v for level in levels for k, v in level.get("parts", {}).items()},
        add=tuple(name for level in levels for name in level.get("add", ())),
        drop=frozenset(name for level in levels for name in level.get("drop", ())),
        shapes={k: v for level in levels for k, v in level.get("shapes", {}).items()},
        kinds={k: v for level in levels for k, v in level.get("kinds", {}).items()},
        values={k: v for level in levels for k, v in level.get("values", {}).items()},
        placeholders={k: v for level in levels for k, v in level.get("placeholders", {}).items()},
    )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("harness.zoo").joinpath("overrides.toml").read_text("utf-8"))
