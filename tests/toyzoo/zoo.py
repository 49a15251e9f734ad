"""The toy zoo: every class of `tests.toyzoo.toys` is a model class."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.cells import Variant
from harness.errors import CaseError
from harness.zoo.base import Array, Case, Component, Inputs, ModelClass, Outputs
from harness.zoo.makeup import made_of
from harness.zoo.shapes import NOTHING_GIVEN, Shapes
from tests.toyzoo.toys import TOYS


class ToyZoo:
    """Toys, by name."""

    name = "toyzoo"

    def discover(self) -> Sequence[ModelClass]:
        return [
            ModelClass(model_type="toy", name=name, module=toy.__module__, skip=toy.skip)
            for name, toy in sorted(TOYS.items())
        ]

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        kind = TOYS.get(model_class)
        if kind is None or model_type != "toy":
            raise CaseError(f"the toy zoo has no {model_type}/{model_class}")
        if kind.skip:
            raise CaseError(kind.skip)
        _note(model_class)
        toy = kind()
        return Case(
            model=toy,
            inputs={"x": _numbers(2, 3)},
            resized={"x": _numbers(3, 5)},
            resized_label="batch 3, sequence 5",
            recipe={"seed": 0, "made_of": made_of(toy)},
        ).shaped(given)

    def components(self, case: Case, variant: Variant) -> Sequence[Component]:
        return [
            Component(
                name="model",
                module=case.model,
                inputs=case.inputs,
                resized=case.resized if variant.dynamic else None,
                resized_label=case.resized_label,
            )
        ]

    def eager(self, component: Component, inputs: Inputs) -> Outputs:
        return {"output": Array(component.module.forward(**inputs), "float32")}

    def moved(self, component: Component, inputs: Inputs) -> Mapping[str, Outputs]:
        shaken = component.module.shaken(**inputs)
        return {kind: {"output": Array(values, "float32")} for kind, values in shaken.items()}


def _note(model_class: str) -> None:
    """Have a line in the book of builds, where a test keeps one (under HF_HOME)."""
    book = Path(os.environ.get("HF_HOME", "."), "builds")  # noqa: TID251  (a model's cache)
    if book.exists():
        with book.open("a") as out:
            out.write(f"{model_class}\n")


def _numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)
