"""A case is tried before it is one: run twice eagerly, and the outputs looked at.

Outputs must be numbers (no NaN), not all vanish, and the second run must give the same bits.
Then each medium is shuffled, to see whether the outputs heed it.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import CaseError
from harness.zoo.base import Inputs
from harness.zoo.weights import SEED, seed_everything

_VANISHED = 1e-4


def run(model: Any, inputs: Inputs) -> Any:  # noqa: ANN401  (what a forward gives)
    """One eager forward on copies of the inputs."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    seed_everything()
    with torch.no_grad():
        return model(**copy.deepcopy(inputs))


def tensors(outputs: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (same)
    """The tensors of an output, or of inputs, each with its dotted path."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    if isinstance(outputs, torch.Tensor):
        yield path, outputs
    elif isinstance(outputs, Mapping):
        for key, value in outputs.items():
            yield from tensors(value, f"{path}.{key}".strip("."))
    elif isinstance(outputs, list | tuple):
        for i, value in enumerate(outputs):
            yield from tensors(value, f"{path}.{i}".strip("."))


def check(model: Any, inputs: Inputs, outputs: Any) -> list[str]:  # noqa: ANN401  (a model, its outputs)
    """Refuse outputs that can't be compared; returns what is infinite, by path."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    first = dict(tensors(outputs))
    floats = {k: v for k, v in first.items() if v.is_floating_point() and v.numel()}
    if nan := [path for path, each in floats.items() if each.isnan().any()]:
        raise CaseError(f"the eager output has NaN in {', '.join(nan[:3])}")
    if not first:
        raise CaseError("the eager output has no tensors")
    infinite = [path for path, each in floats.items() if not each.isfinite().all()]
    sizes = [each[each.isfinite()].abs() for each in floats.values()]
    if floats and not any(each.numel() and each.max() > _VANISHED for each in sizes):
        raise CaseError("the eager output vanishes: every number of it is almost zero")
    second = dict(tensors(run(model, inputs)))
    changed = [path for path, each in first.items() if not _same(each, second.get(path), torch)]
    if changed or first.keys() != second.keys():
        raise CaseError(f"two eager runs differ in {', '.join(changed[:3]) or 'their outputs'}")
    return infinite


def ineffective(model: Any, inputs: Inputs, outputs: Any) -> list[str]:  # noqa: ANN401  (as in `check`)
    """The inputs of real numbers whose own numbers in another order give the same outputs.

    Pictures and sounds among them: a model that doesn't heed what it sees was not tried with it.
    """
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    before = dict(tensors(outputs))
    unheeded = []
    for name, value in inputs.items():
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            continue
        shuffled = value.flatten()[torch.randperm(value.numel(), generator=_generator())]
        after = dict(tensors(run(model, {**inputs, name: shuffled.view(value.shape)})))
        if all(_same(each, after.get(path), torch) for path, each in before.items()):
            unheeded.append(name)
    return unheeded


def _generator() -> Any:  # noqa: ANN401  (a torch.Generator)
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return torch.Generator().manual_seed(SEED)


def _same(one: Any, other: Any, torch: Any) -> bool:  # noqa: ANN401  (tensors, and their library)
    return other is not None and one.shape == other.shape and bool(torch.equal(one, other))
