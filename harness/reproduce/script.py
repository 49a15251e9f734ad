"""Writes the script of a cell from its case: configuration, seed, inputs, decomposition, runtime.

The configuration is written as its difference from the defaults, if that makes the same one again,
else in full.
"""

import json
import pprint
import textwrap
from importlib.resources import files
from string import Template
from typing import Any

from harness.cells import Cell, Variant
from harness.errors import SelectionError
from harness.reproduce.literals import dictionary
from harness.reproduce.runtimes import BACKENDS
from harness.reproduce.sources import plain_source
from harness.stack import stack
from harness.zoo import weights
from harness.zoo.base import Case, Inputs
from harness.zoo.trial import run

_FORWARD = """\
    if is_multimodal(model):
        return decompose_multimodal(model, copy.deepcopy(inputs))
    return {"model": (model, inputs)}"""

_GENERATE = """\
    return decompose_for_generation(
        model, copy.deepcopy(inputs), generation_config=None, multi_token_decode=DYNAMIC
    )"""

_GENERATE_STATIC_CACHE = """\
    generation = GenerationConfig.from_dict(model.generation_config.to_dict())
    generation.cache_implementation, generation.max_length = "static", 32
    return decompose_for_generation(model, copy.deepcopy(inputs), generation_config=generation)"""


_WEIGHTS = (
    weights.seed_everything,
    weights.zeroed_memory,
    weights.codebooks,
    weights.deviation,
    weights.instantiate,
)


def script(cell: Cell, case: Case) -> str:
    """The script; `SelectionError` for a backend that brings no part of its own."""
    if cell.backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise SelectionError(f"no script can be written for backend {cell.backend!r}, only {known}")
    calibrated = bool(case.recipe.get("calibrated"))
    parts, kind = BACKENDS[cell.backend], type(case.model)
    inputs, resized = case.inputs, case.resized
    if cell.variant.generates:
        inputs, resized = case.generate_inputs or {}, case.resized_generate_inputs
    versions = "  ".join(f"{name} {found}" for name, found in stack().items())
    return _template().substitute(
        cell=f"{cell.id}\n\nwith {versions}",
        requirements=parts.requirements,
        exporter=f"{parts.prefix}Exporter",
        settings=f"{parts.prefix}Config",
        options=parts.options,
        configuration_module=type(case.model.config).__module__,
        configuration_class=type(case.model.config).__name__,
        model_module=kind.__module__,
        model_class=kind.__name__,
        seed=weights.SEED,
        noise=weights.NOISE,
        dynamic=cell.variant.dynamic,
        weights=plain_source(*_WEIGHTS, *((run, weights.calibrate) if calibrated else ())),
        calibration=_calibration(case, inputs) if calibrated else "",
        configuration=pprint.pformat(configuration(case.model.config), width=96, sort_dicts=False),
        inputs=dictionary(inputs),
        resized=dictionary(resized) if resized and cell.variant.dynamic else None,
        resized_label=case.resized_label or "not for this cell",
        components=_components(cell.variant),
        runtime=parts.runtime,
    )


def _template() -> Template:
    return Template(files("harness.reproduce").joinpath("template.txt").read_text(encoding="utf-8"))


def _calibration(case: Case, inputs: Inputs) -> str:
    """The lines that give batch norms their statistics; they see the inputs of a plain forward."""
    if inputs is case.inputs:
        return "    calibrate(model, lambda: run(model, INPUTS))\n"
    seen = textwrap.indent(f"seen = {dictionary(case.inputs)}", "    ")
    return f"{seen}\n    calibrate(model, lambda: run(model, seen))\n"


def _components(variant: Variant) -> str:
    if variant is Variant.GENERATE_CACHE_STATIC:
        return _GENERATE_STATIC_CACHE
    return _GENERATE if variant.generates else _FORWARD


def configuration(made: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The shortest dict that makes the same configuration again."""
    short: dict[str, Any] = json.loads(json.dumps(made.to_diff_dict(), default=str))
    full: dict[str, Any] = json.loads(json.dumps(made.to_dict(), default=str))
    again = json.loads(json.dumps(type(made).from_dict(dict(short)).to_dict(), default=str))
    return short if again == full else full
