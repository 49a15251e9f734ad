"""A model that may become a case, and the inputs it is offered until it accepts them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import CaseError
from harness.zoo.base import Inputs
from harness.zoo.documented import Parameter
from harness.zoo.fields import Rung
from harness.zoo.inputs import RULES, make
from harness.zoo.overrides import Override
from harness.zoo.placeholders import place
from harness.zoo.repair import Plan, repaired
from harness.zoo.setting import Setting
from harness.zoo.shapes import NOTHING_GIVEN, Shapes
from harness.zoo.sizes import FIRST, Sizes
from harness.zoo.trial import run

_MAX_REPAIRS = 10
#: given wherever a forward takes them
_CORE = (
    "input_ids", "attention_mask", "decoder_input_ids", "pixel_values", "image_grid_thw",
    "input_features", "input_values", "bbox",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model on one rung, and all that its inputs are made from."""

    model: Any
    rung: Rung
    parameters: Mapping[str, Parameter]
    override: Override
    #: what a user gives for its dynamic shapes
    given: Shapes = NOTHING_GIVEN

    @property
    def makeable(self) -> dict[str, Parameter]:
        """Parameters that a value can be made for."""
        barred = self.override.drop | {"labels"}
        return {
            name: each
            for name, each in self.parameters.items()
            if name not in barred
            and (name in RULES or name in self.override.spelled or each.shape)
            and not name.endswith("labels")
        }

    def plan(self) -> Plan:
        names = [
            name
            for name, each in self.parameters.items()
            if name in self.makeable
            and (each.required or name in _CORE or name in self.override.add)
        ]
        if names == ["attention_mask"] or "input_ids" not in names:
            asked = self.parameters.get("attention_mask")
            if not (asked and asked.required) and "attention_mask" not in self.override.add:
                names = [name for name in names if name != "attention_mask"]
        return Plan(names=tuple(names))

    def inputs(self, plan: Plan, sizes: Sizes) -> tuple[Inputs, dict[str, int]]:
        """The inputs of a plan in these sizes, and how many placeholders they have."""
        if plan.image:
            sizes = replace(sizes, height=plan.image[0], width=plan.image[1])
        setting = Setting(
            configuration=self.model.config,
            class_name=type(self.model).__name__,
            parameters=self.parameters,
            sizes=sizes,
            shapes=self.override.shapes,
            kinds=self.override.kinds,
            values=self.override.values,
            images=plan.images,
        )
        made = {name: make(name, setting) for name in plan.names}
        inputs = {name: value for name, value in made.items() if value is not None}
        for name in plan.transposed & inputs.keys():
            inputs[name] = inputs[name].transpose(-1, -2).contiguous()
        return place(self.model, inputs, known={**self.override.placeholders, **plan.features})


def repaired_inputs(candidate: Candidate) -> tuple[Plan, Inputs, dict[str, int]]:
    """The first plan that the model accepts, its inputs, and how many placeholders they have."""
    plan = candidate.plan()
    for _ in range(_MAX_REPAIRS):
        try:
            inputs, placeholders = candidate.inputs(plan, FIRST)
            run(candidate.model, inputs)
        except Exception as error:  # model code refuses with whatever it likes
            better = repaired(plan, error, candidate.makeable)
            if better is None:
                raise
            plan = better
        else:
            return plan, inputs, placeholders
    raise CaseError(f"still refused after {_MAX_REPAIRS} repairs: {', '.join(plan.repairs)}")
