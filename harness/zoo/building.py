"""A case from a model class: up a ladder of configurations until one builds and runs.

On every rung: a tiny configuration that survives being saved, a seeded model, a plan of inputs
that is repaired by what the library says when it refuses, two eager runs. The first rung that holds
makes the case; if none does, the `CaseError` is that of the rung that came farthest. The same
inputs in other sizes are proven by an eager run too; what the model refuses to vary is recorded
with its reason, and so are the media that it was not given or that its outputs don't depend on.
"""

import copy
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from harness.errors import CaseError, SkipError
from harness.zoo.base import Case
from harness.zoo.candidate import Candidate, repaired_inputs
from harness.zoo.configuration import read_back, tiny
from harness.zoo.documented import parameters
from harness.zoo.fields import RUNGS, Rung
from harness.zoo.generation import prompt
from harness.zoo.makeup import made_of
from harness.zoo.overrides import Override, override
from harness.zoo.repair import MEDIA
from harness.zoo.resizing import resized
from harness.zoo.shapes import NOTHING_GIVEN, Shapes
from harness.zoo.trial import check, ineffective, run, tensors
from harness.zoo.weights import SEED, calibrate, instantiate
from harness.zoo.weights import parameters as count

#: what a case should have, and what it may have where no rung is that small
TINY_PARAMETERS, MAX_PARAMETERS = 5_000_000, 30_000_000
_SECONDS = 15
_STAGES = ("configuration", "model", "eager run")
#: how Transformers says that a package is missing
NEEDS = re.compile(r"requires the (\w+) library but it was not found")
_Made = TypeVar("_Made")


def build(model_class: type[Any], model_type: str, given: Shapes = NOTHING_GIVEN) -> Case:
    """The case of a class; `CaseError` says in one line why there is none."""
    if more := _made_with(model_class):
        raise SkipError(f"a helper of other classes: it is made with {', '.join(more)} as well")
    rules = override(model_type, model_class.__name__)
    if objects := _objects(model_class, rules):
        raise SkipError(f"its forward takes more than tensors: {', '.join(objects)}")
    deadline = time.process_time() + _SECONDS
    refusals: list[_RefusedError] = []
    for rung, limit in _steps(refusals):
        try:
            return _on_rung(model_class, rung, rules, limit, given)
        except _RefusedError as error:
            refusals.append(error)
        if time.process_time() > deadline:
            break
    farthest = max(refusals, key=lambda refusal: refusal.stage)
    kind = SkipError if farthest.packages else CaseError
    raise kind(str(farthest)) from farthest.__cause__


def _steps(refusals: "list[_RefusedError]") -> Iterator[tuple[Rung, int]]:
    """All rungs with tiny models, then again with larger ones if any was refused for its size."""
    yield from ((rung, TINY_PARAMETERS) for rung in RUNGS)
    if any(isinstance(each.__cause__, _LargeError) for each in refusals):
        yield from ((rung, MAX_PARAMETERS) for rung in RUNGS)


def _made_with(model_class: type[Any]) -> list[str]:
    """What its `__init__` asks for beside a configuration."""
    _, _, *others = inspect.signature(model_class.__init__).parameters.values()
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [p.name for p in others if p.kind is positional and p.default is p.empty]


def _objects(model_class: type[Any], rules: Override) -> list[str]:
    """What its forward asks for that is of a class of the library, and that no rule makes."""
    return [
        f"{each.name} ({each.library_class})"
        for each in parameters(model_class).values()
        if each.required and each.library_class and each.name not in rules.spelled
    ]


def of_model(model: Any, model_type: str, given: Shapes = NOTHING_GIVEN) -> Case:  # noqa: ANN401  (a PreTrainedModel)
    """The case of a model that is there already; only its inputs are searched for."""
    candidate = Candidate(
        model=model,
        rung=Rung(name="as it is"),
        parameters=parameters(type(model)),
        override=override(model_type, type(model).__name__),
        given=given,
    )
    return _attempt(2, lambda: _case(candidate))


class _RefusedError(CaseError):
    """A rung that did not hold; a later stage is farther."""

    def __init__(self, stage: int, error: Exception) -> None:
        lines = str(error).strip().splitlines() or [""]
        text = " ".join(line.strip() for line in lines[:2])[:300]
        named = text if isinstance(error, CaseError) else f"{type(error).__name__}: {text}"
        #: what is not installed here, if that is why
        self.packages = [name.lower() for name in dict.fromkeys(NEEDS.findall(str(error)))]
        needs = f"needs {', '.join(self.packages)}, which is not installed"
        super().__init__(needs if self.packages else f"{_STAGES[stage]}: {named}")
        self.stage = stage


class _LargeError(CaseError):
    """More parameters than asked for."""


def _on_rung(
    model_class: type[Any], rung: Rung, rules: Override, limit: int, given: Shapes
) -> Case:
    kind = class_of(model_class)
    shrunk = _attempt(
        0, lambda: tiny(kind, rung=rung, overrides=rules.configuration, parts=rules.parts)
    )
    configuration = _attempt(0, lambda: read_back(shrunk))
    _attempt(1, lambda: _refuse_large(model_class, configuration, limit))
    model = _attempt(1, lambda: instantiate(model_class, configuration))
    candidate = Candidate(
        model=model,
        rung=rung,
        parameters=parameters(model_class),
        override=rules,
        given=given,
    )
    return _attempt(2, lambda: _case(candidate, random=True))


def class_of(model_class: type[Any]) -> type[Any]:
    """The class of the configuration that a model is made with.

    Its `__init__` knows better than `config_class`, which a part of a model may just inherit.
    """
    declared: type[Any] = model_class.config_class
    written = inspect.signature(model_class.__init__).parameters.get("config")
    named = getattr(written, "annotation", None)
    if isinstance(named, str):
        named = getattr(sys.modules[model_class.__module__], named, None)
    parts: Iterable[type[Any]] = getattr(declared, "sub_configs", {}).values()
    return next((part for part in parts if part is named), declared)


def _attempt(stage: int, step: Callable[[], _Made]) -> _Made:
    try:
        return step()
    except Exception as error:  # model code refuses with whatever it likes
        raise _RefusedError(stage, error) from error


def _refuse_large(model_class: type[Any], configuration: Any, limit: int) -> None:  # noqa: ANN401  (a PreTrainedConfig)
    """Count the parameters before memory is taken for them."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    with torch.device("meta"):
        size = count(model_class(copy.deepcopy(configuration)))
    if size > limit:
        raise _LargeError(f"{size:,} parameters, more than {limit:,}")


def _case(candidate: Candidate, *, random: bool = False) -> Case:
    plan, inputs, placeholders = repaired_inputs(candidate)
    calibrated = random and calibrate(candidate.model, lambda: run(candidate.model, inputs))
    outputs = run(candidate.model, inputs)
    infinite = check(candidate.model, inputs, outputs)
    other, label, fixed = resized(candidate, plan, inputs)
    recipe = {
        "rung": candidate.rung.name,
        "seed": SEED,
        "calibrated": calibrated,
        "parameters": count(candidate.model),
        "made_of": made_of(candidate.model),
        "configuration": dict(candidate.model.config.to_diff_dict()),
        "overrides": list(candidate.override.reasons),
        "repairs": list(plan.repairs),
        "without": sorted(plan.dropped & MEDIA),
        "ineffective": ineffective(candidate.model, inputs, outputs),
        "placeholders": placeholders,
        "sizes": {path: list(each.shape) for path, each in tensors(inputs)},
        "fixed": fixed,
        "infinite": infinite,
    }
    generates = candidate.model.can_generate()
    return Case(
        model=candidate.model,
        inputs=inputs,
        resized=other,
        resized_label=label,
        generate_inputs=prompt(inputs) if generates else None,
        resized_generate_inputs=prompt(other) if generates and other else None,
        recipe=recipe,
    ).shaped(candidate.given)
