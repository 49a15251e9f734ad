"""The zoo of the toy world: the public classes of the revision's `transformers.toys`."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from harness.cells import Variant
from harness.errors import CaseError, SelectionError
from harness.zoo.base import Array, Case, Component, Inputs, ModelClass, Outputs
from harness.zoo.shapes import NOTHING_GIVEN, Shapes

_MODULE = "transformers.toys"


class ToyZoo:
    """Toys, by name."""

    name = "toyworld"

    def discover(self) -> Sequence[ModelClass]:
        module = _toys()
        return [
            ModelClass(model_type="toy", name=name, module=_MODULE, skip=getattr(module, name).skip)
            for name in sorted(set(module.__all__))
        ]

    def build(self, model_type: str, model_class: str, given: Shapes = NOTHING_GIVEN) -> Case:
        kind = getattr(_toys(), model_class, None)
        if kind is None or model_type != "toy":
            raise CaseError(f"the toy world has no {model_type}/{model_class}")
        return Case(
            model=kind(),
            inputs={"x": _numbers(2, 3)},
            resized={"x": _numbers(3, 5)},
            resized_label="batch 3, sequence 5",
            recipe={"seed": 0},
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
        return {kind: self.eager(component, inputs) for kind in ("random", "ill-conditioned")}


def _toys() -> Any:  # noqa: ANN401  (a module of the revision's)
    try:
        return importlib.import_module(_MODULE)
    except ModuleNotFoundError:
        raise SelectionError("this revision is not of the toy world: it has no toys") from None


def _numbers(*shape: int) -> Any:  # noqa: ANN401  (an array)
    import numpy as np  # noqa: PLC0415  (the dashboard has none)

    return np.random.default_rng(0).random(shape, dtype=np.float32)
