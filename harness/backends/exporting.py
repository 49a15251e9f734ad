"""What the backends of `transformers.exporters` share: one call, told stage by stage.

- `lower` begins when `torch.export.export` has returned. It is wrapped for the length of the
  export: more exact than reading the traceback, and known as well when the process dies.
- A patch *fired* when its replacement was called, a graph fix when it said so or changed the
  graph.
- Two generations of the exporters are met: until 5.22 `export` returns the raw program, from 5.23
  an `ExportedModel` of components.
"""

import copy
import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

from harness.backends.base import Enter
from harness.results import Stage
from harness.zoo.base import Component, Inputs
from harness.zoo.shapes import Axis


def missing(*distributions: str) -> str | None:
    """The command that installs those of the distributions that are not there."""
    absent = [name for name in distributions if not _installed(name)]
    return f"pip install {' '.join(absent)}" if absent else None


def _installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


class Exported(NamedTuple):
    """What came of an export."""

    program: Any
    #: patches and graph fixes that fired
    fired: tuple[str, ...]
    #: what the exporter recorded about the graph; None until 5.22
    metadata: Any = None


def exporter(name: str) -> type[Any]:
    """One of Transformers' own exporters; loading it registers its patches and fixes."""
    found: type[Any] = getattr(importlib.import_module("transformers.exporters"), f"{name}Exporter")
    return found


def export(
    make: type[Any], component: Component, settings: dict[str, Any], *, enter: Enter
) -> Exported:
    """Export a copy of the inputs by an exporter of that class, with these settings."""
    inputs = copy.deepcopy(component.inputs)
    fired: set[str] = set()
    enter(Stage.CAPTURE)
    with _announced(enter), _recorded(fired):
        exported = make().export(component.module, inputs, settings)
    if not hasattr(exported, "components"):
        return Exported(exported, tuple(sorted(fired)))
    (part,) = exported.components.values()
    return Exported(part.program, tuple(sorted(fired)), part.metadata)


def shapes(component: Component, *, dynamic: bool, bound: int | None) -> dict[str, Any]:
    """The exporter's settings for static shapes, or dynamic ones, up to `bound` and as given."""
    if not dynamic or (bound is None and not component.given):
        return {"dynamic": dynamic}
    utils = importlib.import_module("transformers.exporters.utils")
    dynamo = importlib.import_module("transformers.exporters.exporter_dynamo")
    dynamo.register_cache_pytrees_for_model(component.module)
    inputs = completed(component, component.inputs)
    largest = max(
        (size for leaf in utils.get_leaf_tensors(inputs).values() for size in leaf.shape), default=0
    )
    limit = None if bound is None else max(bound, largest)
    automatic = dynamo.get_auto_dynamic_shapes(inputs)
    spec = automatic if limit is None else _bounded(automatic, limit)
    for name, axes in component.given.inputs.items():
        spec[name] |= {axis: _dimension(each, limit) for axis, each in axes.items()}
    return {"dynamic": True, "dynamic_shapes": spec}


def _dimension(axis: Axis, limit: int | None) -> Any:  # noqa: ANN401  (one of torch's hints)
    from torch.export import Dim  # noqa: PLC0415  (heavy)

    if axis.fixed:
        return Dim.STATIC
    highest = min((size for size in (axis.max, limit) if size is not None), default=None)
    # A minimum of 1 is torch's own.
    return Dim.AUTO(min=axis.min if axis.min > 1 else None, max=highest)


def _bounded(spec: Any, bound: int) -> Any:  # noqa: ANN401  (a nest of dimensions)
    from torch.export import Dim  # noqa: PLC0415  (heavy)

    if isinstance(spec, dict):
        return {key: _bounded(value, bound) for key, value in spec.items()}
    if isinstance(spec, list | tuple):
        return type(spec)(_bounded(value, bound) for value in spec)
    return Dim.AUTO(max=bound) if spec is Dim.AUTO else spec


def completed(component: Component, inputs: Inputs) -> Inputs:
    """A copy of forward kwargs with what the exporter computes beforehand (positions, lengths)."""
    utils = importlib.import_module("transformers.exporters.utils")
    _, prepared, _ = utils.prepare_for_export(component.module, copy.deepcopy(inputs))
    return dict(prepared)


@contextmanager
def _announced(enter: Enter) -> Iterator[None]:
    import torch  # noqa: PLC0415  (heavy)

    original = torch.export.export

    def captured(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (torch's own signature)
        program = original(*args, **kwargs)
        enter(Stage.LOWER)
        return program

    torch.export.export = captured
    try:
        yield
    finally:
        torch.export.export = original


@contextmanager
def _recorded(fired: set[str]) -> Iterator[None]:
    """Have the exporters' registries of patches and fixes tell what fired."""
    recorders: dict[str, tuple[str, Callable[..., Any]]] = {
        "_PATCHES": ("utils", _patch),
        "_FX_NODE_FIXES": ("utils", _node_fix),
        "_FX_PROGRAM_FIXES": ("utils", _program_fix),
        "_IR_FIXES": ("exporter_onnx", _graph_fix),
    }
    with ExitStack() as stack:
        for name, (module, record) in recorders.items():
            registry = getattr(sys.modules.get(f"transformers.exporters.{module}"), name, [])
            for entries in registry.values() if isinstance(registry, dict) else [registry]:
                stack.enter_context(_replaced(entries, [record(entry, fired) for entry in entries]))
        yield


@contextmanager
def _replaced(entries: list[Any], others: list[Any]) -> Iterator[None]:
    originals = {id(other): entry for entry, other in zip(entries, others, strict=True)}
    entries[:] = others
    try:
        yield
    finally:  # what was registered meanwhile, by a module imported late, stays
        entries[:] = [originals.get(id(entry), entry) for entry in entries]


def _patch(entry: tuple[str, str, Callable[..., Any]], fired: set[str]) -> tuple[Any, ...]:
    owner, attribute, factory = entry

    def make(original: Any) -> Any:  # noqa: ANN401  (whatever the patch replaces)
        replacement = factory(original)
        if not isinstance(replacement, types.FunctionType):
            return replacement

        @functools.wraps(replacement)
        def recorded(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (the patch's signature)
            fired.add(f"{owner}.{attribute}")
            return replacement(*args, **kwargs)

        return recorded

    return owner, attribute, make


def _node_fix(fix: Callable[..., bool], fired: set[str]) -> Callable[..., bool]:
    def recorded(module: Any, node: Any) -> bool:  # noqa: ANN401  (torch.fx)
        applied = fix(module, node)
        if applied:
            fired.add(fix.__name__)
        return applied

    return recorded


def _program_fix(fix: Callable[..., None], fired: set[str]) -> Callable[..., None]:
    def recorded(program: Any) -> None:  # noqa: ANN401  (an ExportedProgram)
        before = _placeholders(program)
        fix(program)
        if _placeholders(program) != before:
            fired.add(fix.__name__)

    return recorded


def _placeholders(program: Any) -> object:  # noqa: ANN401  (an ExportedProgram)
    """What the program fixes change: the ranges of symbols, and placeholders without a value."""
    known = [node.name for node in program.graph.nodes if node.meta.get("val") is not None]
    return repr(program.range_constraints), known


def _graph_fix(fix: Callable[..., None], fired: set[str]) -> Callable[..., None]:
    def recorded(graph: Any) -> None:  # noqa: ANN401  (an onnx_ir graph)
        before = _operators(graph)
        fix(graph)
        if _operators(graph) != before:
            fired.add(fix.__name__)

    return recorded


def _operators(graph: Any) -> object:  # noqa: ANN401  (an onnx_ir graph)
    return [(op.op_type, tuple(op.attributes)) for op in graph]
