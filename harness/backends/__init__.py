"""The backends by name: built-in ones, and those that other distributions bring.

A third-party backend joins by an entry point in the group ``export_matrix.backends`` whose object
is a callable that returns a `Backend`; `register_backend` adds one in this process.
"""

import importlib
from collections.abc import Callable
from importlib.metadata import entry_points

from harness.backends.base import Backend
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
    found = [point.name for point in entry_points(group=ENTRY_POINT_GROUP)]
    return list(dict.fromkeys([*_BUILT_IN, *found, *_registered]))


def load_backend(name: str) -> Backend:
    """The backend of that name; `SelectionError` names the nearest one."""
    if name in _registered:
        return _registered[name]()
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        make: Callable[[], Backend] = getattr(importlib.import_module(module), attribute)
        return make()
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        make = point.load()
        return make()
    names = backend_names()
    raise SelectionError(
        f"unknown backend {name!r}{nearest(name, names)} (one of {', '.join(names)})"
    )
