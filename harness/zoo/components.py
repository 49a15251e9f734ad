"""The graphs that a case decomposes into, and their eager reference.

Transformers itself decomposes: `decompose_multimodal` for a forward with modal encoders,
`decompose_for_generation` for `generate`. The sizes a component runs with a second time come from
decomposing the case's resized inputs in the same way.
"""

import copy
from dataclasses import replace
from typing import Any

from harness.cells import Variant
from harness.errors import CaseError
from harness.zoo.base import Array, Case, Component, Inputs, Outputs
from harness.zoo.shapes import Shapes
from harness.zoo.weights import rounded_otherwise

_SEED = 1234
_STATIC_CACHE_LENGTH = 32

Graphs = dict[str, tuple[Any, Inputs]]


def components(case: Case, variant: Variant) -> list[Component]:
    """The graphs to export for this variant, each with the inputs to export and run it on."""
    inputs, resized = case.inputs, case.resized
    if variant.generates:
        inputs, resized = _generate_inputs(case), case.resized_generate_inputs
    graphs = _graphs(case.model, inputs, variant)
    others: Graphs = {}
    if variant.dynamic and resized is not None:
        others = _graphs(case.model, resized, variant)
    case.given.check_names([*inputs, *(name for _, taken in graphs.values() for name in taken)])
    return [
        _shaped(
            Component(
                name=name,
                module=module,
                inputs=taken,
                resized=others[name][1] if name in others else None,
                resized_label=case.resized_label,
            ),
            case.given.of(taken),
        )
        for name, (module, taken) in graphs.items()
    ]


def _shaped(part: Component, given: Shapes) -> Component:
    """The component with what is given for its inputs; other sizes that break it are left out."""
    if not given:
        return part
    try:
        given.check_traced(part.inputs)
    except CaseError as error:
        raise CaseError(f"{part.name}: {error}") from None
    if part.resized is None:
        return replace(part, given=given, unvaried=f"{part.unvaried} within the given shapes")
    try:
        given.check_other(part.inputs, part.resized)
    except CaseError as error:
        return replace(part, given=given, resized=None, unvaried=str(error))
    return replace(part, given=given)


def _generate_inputs(case: Case) -> Inputs:
    if case.generate_inputs is None:
        raise CaseError("the case has no inputs for generate")
    return case.generate_inputs


def _graphs(model: Any, inputs: Inputs, variant: Variant) -> Graphs:  # noqa: ANN401  (a torch module)
    from transformers.exporters import utils  # noqa: PLC0415  (heavy)

    inputs = copy.deepcopy(inputs)
    if variant.generates:
        return dict(
            utils.decompose_for_generation(
                model,
                inputs,
                generation_config=_generation_config(model, variant),
                multi_token_decode=variant.dynamic,
            )
        )
    parts = dict(utils.decompose_multimodal(model, inputs)) if utils.is_multimodal(model) else {}
    # BridgeTower has parts, but calls inside of them: none is seen being called.
    return parts or {"model": (model, inputs)}


def _generation_config(model: Any, variant: Variant) -> Any:  # noqa: ANN401  (Transformers' own)
    if variant is not Variant.GENERATE_CACHE_STATIC:
        return None
    static = copy.deepcopy(model.generation_config)
    static.cache_implementation = "static"
    static.max_length = _STATIC_CACHE_LENGTH
    return static


def eager(component: Component, inputs: Inputs, *, seed: int = _SEED) -> Outputs:
    """The component run on a copy of the inputs, every output tensor by its dotted path."""
    import torch  # noqa: PLC0415  (heavy)

    torch.manual_seed(seed)
    with torch.no_grad():
        return named(component.module(**copy.deepcopy(inputs)))


def moved(component: Component, inputs: Inputs) -> dict[str, Outputs]:
    """The same with another seed, and with weights that are off by a rounding error."""
    reseeded = eager(component, inputs, seed=_SEED + 1)
    with rounded_otherwise(component.module):
        return {"random": reseeded, "ill-conditioned": eager(component, inputs)}


def named(outputs: Any) -> dict[str, Array]:  # noqa: ANN401  (any nest of tensors)
    """Every tensor of a nest of outputs by its dotted path, as the exporters name them."""
    from transformers.exporters.utils import get_leaf_tensors  # noqa: PLC0415  (heavy)

    return {name: array(tensor) for name, tensor in get_leaf_tensors(outputs).items()}


def array(tensor: Any) -> Array:  # noqa: ANN401  (a torch tensor)
    """A tensor as numbers; half precisions are widened, which changes no value."""
    import torch  # noqa: PLC0415  (heavy)

    dtype = str(tensor.dtype).removeprefix("torch.")
    detached = tensor.detach().cpu()
    if detached.dtype in (torch.bfloat16, torch.float16):
        detached = detached.float()
    return Array(detached.numpy(), dtype)
