"""The zoo of Transformers' own model classes: no list that someone has to keep.

Which classes there are is read from the sources (`discovery`); a case is made by rules, repaired
by what the library says, and helped by a small table (`building`, `overrides.toml`).
"""

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from harness.cells import Variant
from harness.errors import CaseError, SkipError, nearest
from harness.zoo.base import Case, Component, Inputs, ModelClass, Outputs, Zoo
from harness.zoo.building import build
from harness.zoo.discovery import discover
from harness.zoo.shapes import NOTHING_GIVEN, Shapes


class TransformersZoo:
    """Cases made from the Transformers that is under test."""

    name = "transformers"

    @property
    def _classes(self) -> dict[tuple[str, str], ModelClass]:
        return _discovered()

    def discover(self) -> Sequence[ModelClass]:
        return tuple(self._classes.values())

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        return build(self._load(model_type, model_class), model_type, given)

    def components(self, case: Case, variant: Variant) -> Sequence[Component]:
        from harness.zoo.components import components  # noqa: PLC0415  (it imports the exporters)

        return components(case, variant)

    def eager(self, component: Component, inputs: Inputs) -> Outputs:
        from harness.zoo.components import eager  # noqa: PLC0415  (it imports the exporters)

        return eager(component, inputs)

    def moved(self, component: Component, inputs: Inputs) -> Mapping[str, Outputs]:
        from harness.zoo.components import moved  # noqa: PLC0415  (it imports the exporters)

        return moved(component, inputs)

    def _load(self, model_type: str, model_class: str) -> type[Any]:
        found = self._classes.get((model_type, model_class))
        if found is None:
            known = [f"{kind}/{name}" for kind, name in self._classes]
            wanted = f"{model_type}/{model_class}"
            raise CaseError(f"Transformers has no public {wanted}{nearest(wanted, known)}")
        if found.skip:
            raise SkipError(found.skip)
        try:
            return getattr(importlib.import_module(found.module), found.name)  # type: ignore[no-any-return]  # getattr is untyped
        except ImportError as error:
            raise CaseError(f"{found.module} can't be imported: {error}") from None


@cache
def _discovered() -> dict[tuple[str, str], ModelClass]:
    """Read once in a process, and so once for all the children of a zygote: it takes seconds."""
    return {(each.model_type, each.name): each for each in discover()}


def zoo() -> Zoo:
    """The zoo that `harness.zoo.base.load_zoo` finds."""
    return TransformersZoo()
