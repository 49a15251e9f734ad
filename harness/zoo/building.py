"""A case from a model class: up a ladder of configurations until one builds and runs.

On every rung: a tiny configuration, a seeded model, a plan of inputs that is repaired by what the
library says when it refuses, two eager runs. The first rung that holds makes the case; if none
does, the `CaseError` is that of the rung that came farthest. The same inputs in other sizes are
proven by an eager run too; what the model refuses to vary is recorded with its reason.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import CaseError
from harness.zoo.base import Case, Inputs
from harness.zoo.configuration import tiny
from harness.zoo.documented import Parameter, parameters
from harness.zoo.fields import RUNGS, Rung
from harness.zoo.inputs import RULES, Setting, make
from harness.zoo.generation import prompt
from harness.zoo.overrides import Override, override
from harness.zoo.placeholders import place
from harness.zoo.repair import Plan, repaired
from harness.zoo.sizes import FIRST, OTHERS, Sizes
from harness.zoo.trial import check, run
from harness.zoo.weights import SEED, instantiate
from harness.zoo.weights import parameters as count

MAX_PARAMETERS = 5_000_000
_MAX_REPAIRS = 10
_SECONDS = 15
#: given wherever a forward takes them
_CORE = (
    "input_ids", "attention_mask", "decoder_input_ids", "pixel_values", "image_grid_thw",
    "input_features", "input_values", "bbox",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A model on one rung, and all that its inputs are made from."""

    model: Any
    rung: Rung
    parameters: Mapping[str, Parameter]
    override: Override

    @property
    def makeable(self) -> dict[str, Parameter]:
        """Parameters that a value can be made for."""
        barred = self.override.drop | {"labels"}
        return {
            name: each
            for name, each in self.parameters.items()
            if name not in barred
            and (name in RULES or name in self.override.shapes or each.shape)
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
            names = [n for n in names if n != "attention_mask" or self.parameters[n].required]
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
            images=plan.images,
        )
        made = {name: make(name, setting) for name in plan.names}
        inputs = {name: value for name, value in made.items() if value is not None}
        for name in plan.transposed & inputs.keys():
            inputs[name] = inputs[name].transpose(-1, -2).contiguous()
        return place(self.model, inputs, known=plan.features)


def build(model_class: type[Any], model_type: str) -> Case:
    """The case of a class; `CaseError` says in one line why there is none."""
    rules = override(model_type, model_class.__name__)
    deadline = time.monotonic() + _SECONDS
    refusals: list[_Refused] = []
    for rung in RUNGS:
        try:
            return _on_rung(model_class, rung, rules)
        except _Refused as error:
            refusals.append(error)
        if time.monotonic() > deadline:
            break
    farthest = max(refusals, key=lambda refusal: refusal.stage)
    raise CaseError(str(farthest)) from farthest.__cause__


class _Refused(CaseError):
    """A rung that did not hold; a later stage is farther."""

    def __init__(self, stage: int, error: Exception) -> None:
        lines = str(error).strip().splitlines() or [""]
        text = " ".join(line.strip() for line in lines[:2])[:300]
        named = text if isinstance(error, CaseError) else f"{type(error).__name__}: {text}"
        super().__init__(f"{('configuration', 'model', 'eager run')[stage]}: {named}")
        self.stage = stage


def _on_rung(model_class: type[Any], rung: Rung, rules: Override) -> Case:
    made_from = model_class.config_class
    configuration = _attempt(0, lambda: tiny(made_from, rung=rung, overrides=rules.configuration))
    _attempt(1, lambda: _refuse_large(model_class, configuration))
    model = _attempt(1, lambda: instantiate(model_class, configuration))
    made = _Model(model=model, rung=rung, parameters=parameters(model_class), override=rules)
    return _attempt(2, lambda: _case(made))


def _attempt(stage: int, step: Any) -> Any:  # noqa: ANN401  (any step's value)
    try:
        return step()
    except Exception as error:  # noqa: BLE001  (model code refuses with whatever it likes)
        raise _Refused(stage, error) from error


def _refuse_large(model_class: type[Any], configuration: Any) -> None:  # noqa: ANN401  (a PreTrainedConfig)
    """Count the parameters before memory is taken for them."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    with torch.device("meta"):
        size = count(model_class(copy.deepcopy(configuration)))
    if size > MAX_PARAMETERS:
        raise CaseError(f"{size:,} parameters, more than {MAX_PARAMETERS:,}")


def _case(made: _Model) -> Case:
    plan, inputs, placeholders = _repaired_inputs(made)
    infinite = check(made.model, inputs, run(made.model, inputs))
    resized, label, fixed = _resized(made, plan, inputs)
    recipe = {
        "rung": made.rung.name,
        "seed": SEED,
        "parameters": count(made.model),
        "configuration": _flat(made.model.config),
        "overrides": list(made.override.reasons),
        "repairs": list(plan.repairs),
        "placeholders": placeholders,
        "sizes": {name: list(each.shape) for name, each in inputs.items()},
        "fixed": fixed,
        "infinite": infinite,
    }
    generates = made.model.can_generate()
    return Case(
        model=made.model,
        inputs=inputs,
        resized=resized,
        resized_label=label,
        generate_inputs=prompt(inputs) if generates else None,
        resized_generate_inputs=prompt(resized) if generates and resized else None,
        recipe=recipe,
    )


def _repaired_inputs(made: _Model) -> tuple[Plan, Inputs, dict[str, int]]:
    plan = made.plan()
    for _ in range(_MAX_REPAIRS):
        try:
            inputs, placeholders = made.inputs(plan, FIRST)
            run(made.model, inputs)
        except Exception as error:
            better = repaired(plan, error, made.makeable)
            if better is None:
                raise
            plan = better
        else:
            return plan, inputs, placeholders
    raise CaseError(f"still refused after {_MAX_REPAIRS} repairs: {', '.join(plan.repairs)}")


def _resized(made: _Model, plan: Plan, inputs: Inputs) -> tuple[Inputs | None, str, dict[str, str]]:
    """The boldest other sizes that eager accepts, their label, and what is fixed and why."""
    fixed: dict[str, str] = {}
    for sizes in OTHERS:
        label = "other sizes"
        try:
            other, _ = made.inputs(plan, sizes)
            label = _label(inputs, other)
            if label and label not in fixed:
                run(made.model, other)
                return other, label, fixed
        except Exception as error:  # noqa: BLE001  (a model refuses a size with whatever it likes)
            fixed[label] = " ".join(str(error).split())[:200]
    return None, "", fixed


_SIZED = (
    ("input_ids", -1, "sequence"),
    ("inputs_embeds", 1, "sequence"),
    ("decoder_input_ids", -1, "decoder"),
    ("pixel_values", -1, "width"),
    ("pixel_values", -2, "height"),
    ("pixel_values_videos", -1, "width"),
    ("input_values", -1, "samples"),
    ("input_features", 1, "frames"),
    ("input_features", 2, "frames"),
)


def _label(inputs: Inputs, other: Inputs) -> str:
    """What differs between inputs, `batch 3, sequence 13`; empty if nothing does."""
    changed = {
        name: (each.shape, other[name].shape)
        for name, each in inputs.items()
        if name in other and each.shape != other[name].shape
    }
    parts: dict[str, int] = {}
    for before, after in changed.values():
        if before and before[0] != after[0]:
            parts.setdefault("batch", after[0])
    for name, axis, word in _SIZED:
        if name in changed and len(changed[name][0]) > abs(axis + (axis < 0)):
            before, after = changed[name]
            if before[axis] != after[axis]:
                parts[word] = after[axis]
    if changed and not parts:
        parts = {name: after[-1] for name, (_, after) in changed.items()}
    return ", ".join(f"{word} {size}" for word, size in parts.items())


def _flat(configuration: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    return dict(configuration.to_diff_dict())
