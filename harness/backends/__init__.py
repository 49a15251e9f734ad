"""The backends by name: built-in ones, and those that other distributions bring.

A third-party backend joins by an entry point in the group ``export_matrix.backends``: an exporter
of Transformers' own kind, a module that registers one with Transformers, or a callable that returns
a `Backend` (`harness.backends.registered`). `register_backend` adds one in this process, and so
does Transformers' own. A built-in name stays built in.

Names, and what is missing, are told from distributions' metadata: what a distribution brings is
imported when a cell is run, for it imports torch.
"""

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from harness.backends import exporting
from harness.backends.base import Backend
from harness.backends.registered import RegisteredBackend, brought, registered_names, required
from harness.errors import SelectionError, nearest

ENTRY_POINT_GROUP = "export_matrix.backends"

_BUILT_IN = {
    "dynamo": "harness.backends.dynamo:DynamoBackend",
    "onnx": "harness.backends.onnx:OnnxBackend",
    "executorch": "harness.backends.executorch:ExecutorchBackend",
    "openvino": "harness.backends.openvino:OpenvinoBackend",
}
_registered: dict[str, Callable[[], Backend]] = {}


def register_backend(name: str, make: Callable[[], Backend]) -> None:
    """Add (or replace) a backend in this process."""
    _registered[name] = make


def backend_names() -> list[str]:
    """All known backends: built-in, then by entry point, then registered."""
    found = _points(tuple(sys.path)).names
    return list(dict.fromkeys([*_BUILT_IN, *sorted(found), *_registered, *registered_names()]))


def missing(name: str) -> str | None:
    """The command that installs what a backend lacks here; `SelectionError` if there is no such.

    Of a distribution's backend only what the distribution requires is asked.
    """
    point = None if name in {*_registered, *_BUILT_IN} else _entry_point(name)
    if point is None:
        return load_backend(name).missing()
    return exporting.missing(*required(point))


def load_backend(name: str) -> Backend:
    """The backend of that name; `SelectionError` names the nearest one."""
    if name in _registered:
        return _registered[name]()
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        make: Callable[[], Backend] = getattr(importlib.import_module(module), attribute)
        return make()
    if point := _entry_point(name):
        return brought(point)
    if name in registered_names():
        return RegisteredBackend(name)
    names = backend_names()
    raise SelectionError(
        f"unknown backend {name!r}{nearest(name, names)} (one of {', '.join(names)})"
    )


def _entry_point(name: str) -> EntryPoint | None:
    return next(iter(_points(tuple(sys.path)).select(name=name)), None)


@lru_cache(maxsize=1)
def _points(_path: tuple[str, ...]) -> EntryPoints:
    """Read once: pages ask for the names, and all that is installed is opened for it."""
    return entry_points(group=ENTRY_POINT_GROUP)
