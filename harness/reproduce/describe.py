"""A case as a subject. It builds the case, so it runs where model code may."""

import copy
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from harness.cells import Cell, Variant
from harness.errors import CaseError
from harness.reproduce.script import configuration
from harness.reproduce.subject import SPELLED_ELEMENTS, Described, Part, Subject, Tensor
from harness.zoo.base import Case, Component, Inputs, load_zoo
from harness.zoo.weights import parameters


def describe(cell: Cell, zoo_name: str, component: str | None) -> Described:
    """The cell's case, and the named component of it (None: the only one)."""
    zoo = load_zoo(zoo_name)
    case = zoo.build(cell.model_type, cell.model_class)
    parts = {each.name: each for each in zoo.components(case, cell.variant)}
    if component not in parts and len(parts) > 1:
        raise CaseError(f"{cell.id} has no component {component!r}, only {', '.join(parts)}")
    chosen = parts.get(component or "") or next(iter(parts.values()))
    return Described(subject=_subject(cell, case, chosen), parts=tuple(called(chosen)))


def _subject(cell: Cell, case: Case, chosen: Component) -> Subject:
    inputs, other = case.inputs, case.resized
    if cell.variant.generates:
        inputs, other = case.generate_inputs or {}, case.resized_generate_inputs
    whole = chosen.module is case.model and not cell.variant.generates
    kind = type(case.model)
    return Subject(
        backend=cell.backend,
        module=kind.__module__,
        model_class=kind.__name__,
        configuration=needed(kind.config_class, configuration(case.model.config)),
        inputs={name: _plain(name, each) for name, each in inputs.items()},
        other={name: _plain(name, each) for name, each in other.items()} if other else None,
        other_label=case.resized_label,
        dynamic=cell.variant.dynamic,
        decompose=None if whole else _decomposition(cell.variant),
        component=None if whole else chosen.name,
    )


def needed(kind: type[Any], full: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what is derived, or is so by default, anyway."""
    wanted = json.dumps(kind.from_dict(copy.deepcopy(full)).to_dict(), default=str)

    def same(changed: dict[str, Any]) -> bool:
        try:
            made = kind.from_dict(copy.deepcopy(changed))
            return json.dumps(made.to_dict(), default=str) == wanted
        except Exception:  # noqa: BLE001  (a configuration refuses with whatever it likes)
            return False

    def pruned(at: dict[str, Any]) -> None:
        for key in list(at):
            value = at.pop(key)
            if not same(full):
                at[key] = value
                if isinstance(value, dict):
                    pruned(value)

    full = copy.deepcopy(full)
    pruned(full)
    return full


def _decomposition(variant: Variant) -> str:
    if variant is Variant.GENERATE_CACHE_STATIC:
        raise CaseError("a static cache's setting is more than a minimal script spells")
    if variant.generates:
        return f"decompose_for_generation(model, INPUTS, None, {variant.dynamic})"
    return "decompose_multimodal(model, INPUTS)"


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401  (whatever a forward takes)
    """A value among inputs, as JSON has it and `Subject` reads it."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, Mapping) and type(value) is dict:
        return {key: _plain(name, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise CaseError(f"input {name!r} is a {type(value).__name__}, which no minimal script spells")


def _tensor(value: Any) -> Tensor:  # noqa: ANN401  (a torch tensor)
    dtype = str(value.dtype).removeprefix("torch.")
    made = Tensor(shape=tuple(value.shape), dtype=dtype)
    if not value.numel() or value.is_complex():
        return made
    if value.numel() > 1 and bool((value == value.flatten()[0]).all()):
        return Tensor(shape=made.shape, dtype=dtype, fill=value.flatten()[0].item())
    if value.is_floating_point():
        return made
    few = value.numel() <= SPELLED_ELEMENTS
    numbers = tuple(map(int, value.flatten().tolist())) if few else None
    return Tensor(
        shape=made.shape,
        dtype=dtype,
        values=numbers,
        low=int(value.min()),
        high=int(value.max()),
    )


def called(component: Component) -> Iterator[Part]:
    """The parts that an eager run calls, the first call first, one of each path."""
    names = {id(each): name for name, each in component.module.named_modules() if name}
    seen: dict[str, Any] = {}

    def note(part: Any, args: Any) -> None:  # noqa: ANN401  (torch's own signature)
        seen.setdefault(names[id(part)], part)

    handles = [
        each.register_forward_pre_hook(note)
        for _, each in component.module.named_modules()
        if id(each) in names
    ]
    try:
        _run(component, component.inputs)
    finally:
        for each in handles:
            each.remove()
    for path, part in seen.items():
        if found := _written(type(part)):
            file, first, last = found
            yield Part(
                path=path,
                class_name=type(part).__name__,
                parameters=parameters(part),
                file=file,
                first=first,
                last=last,
            )


def _run(component: Component, inputs: Inputs) -> None:
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    with torch.no_grad():
        component.module(**copy.deepcopy(inputs))


def _written(kind: type[Any]) -> tuple[str, int, int] | None:
    """Where a class is written, if it is not torch's."""
    if kind.__module__.partition(".")[0] == "torch":
        return None
    try:
        lines, first = inspect.getsourcelines(kind)
        return str(inspect.getsourcefile(kind)), first, first + len(lines) - 1
    except (OSError, TypeError):
        return None
