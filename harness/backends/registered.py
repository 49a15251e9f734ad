"""Exporters that others registered with Transformers itself: `transformers.exporters`' own way in.

From 5.23 `register_backend(exporter, runner)` puts an exporter and, if it has one, the runner of
its programs under the exporter's `export_format`. Such a format is a backend of the matrix as it
is: exported by that exporter, run by that runner, compared like any other.

A distribution names it by an entry point of the same name as the format. What the entry point
names decides what it brings: an exporter, a module that registers one, or, being any other
callable, a backend of this project's own protocol.
"""

import importlib
import sys
from dataclasses import fields
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from harness.backends import exporting
from harness.backends.base import Backend, Enter, Program, Runtime
from harness.errors import RuntimeLimit, SelectionError, nearest
from harness.results import Stage
from harness.zoo.base import Component, Inputs, Outputs
from harness.zoo.components import named

_AUTO = "transformers.exporters.auto"
_FIRST_RELEASE = "pip install 'transformers>=5.23'"


class RegisteredBackend:
    """A format of Transformers' registry: its exporter, and its runner."""

    def __init__(self, name: str) -> None:
        self.name = name

    def missing(self) -> str | None:
        absent = exporting.missing("torch", "transformers")
        if absent or not _registers():
            return absent or _FIRST_RELEASE
        packages = [name for name in self._exporter().required_packages if not find_spec(name)]
        return f"pip install {' '.join(packages)}" if packages else None

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        exporter = self._exporter()
        settings = exporting.shapes(component, dynamic=dynamic, bound=bound)
        enter(Stage.CAPTURE)  # from here on, what is refused is the exporter's doing
        done = exporting.export(exporter, component, _taken(exporter, settings), enter=enter)
        return Program(native=done, component=component, patches=done.fired)

    def load(self, program: Program) -> Runtime:
        auto = importlib.import_module(_AUTO)
        if auto.EXPORT_BACKENDS[self.name].runner is None:
            raise RuntimeLimit(
                f"{self.name} has no runner registered: exported, but it can't be run"
            )
        done = program.native
        runner = auto.get_runner_class(self.name).from_program(done.program, done.metadata)

        def run(inputs: Inputs) -> Outputs:
            return named(runner(**exporting.completed(program.component, inputs)))

        return run

    def _exporter(self) -> type[Any]:
        found: type[Any] = importlib.import_module(_AUTO).get_exporter_class(self.name)
        return found


def registered_names() -> list[str]:
    """The formats that are registered in this process; nothing is imported for it."""
    return [str(name) for name in getattr(sys.modules.get(_AUTO), "EXPORT_BACKENDS", {})]


def required(point: EntryPoint) -> list[str]:
    """The distributions that an entry point's own one requires here."""
    from packaging.requirements import Requirement  # noqa: PLC0415  (not the standard library's)

    requires = [Requirement(text) for text in (point.dist and point.dist.requires) or ()]
    return [each.name for each in requires if not each.marker or each.marker.evaluate()]


def brought(point: EntryPoint) -> Backend:
    """The backend that an entry point brings; `SelectionError` says why it brings none."""
    try:
        thing = point.load()
    except Exception as error:
        # Its module asks an older release for what came with 5.23.
        if "transformers.exporters" in str(error) and not _registers():
            return RegisteredBackend(point.name)
        raise SelectionError(
            f"backend {point.name!r} can't be loaded from {point.value!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if isinstance(thing, ModuleType) or _is_exporter(thing):
        return _of_transformers(point, thing)
    made: Backend = thing()
    return made


def _of_transformers(point: EntryPoint, thing: Any) -> Backend:  # noqa: ANN401  (a module or class)
    if _registers():
        if _is_exporter(thing):
            _register(point, thing)
        if point.name not in registered_names():
            raise SelectionError(
                f"{point.value!r} registers no exporter {point.name!r}"
                f"{nearest(point.name, registered_names())}"
            )
    return RegisteredBackend(point.name)


def _register(point: EntryPoint, exporter: type[Any]) -> None:
    """Register an exporter, unless its module did, and maybe with a runner."""
    auto = importlib.import_module(_AUTO)
    if str(exporter.export_format) != point.name:
        raise SelectionError(
            f"{point.value!r} exports the format {str(exporter.export_format)!r}: its entry point "
            f"must have that name, not {point.name!r}"
        )
    if point.name not in registered_names():
        auto.register_backend(exporter)


def _registers() -> bool:
    """Whether this Transformers takes exporters of others."""
    return hasattr(importlib.import_module(_AUTO), "register_backend")


def _is_exporter(thing: Any) -> bool:  # noqa: ANN401  (whatever an entry point names)
    base = getattr(sys.modules.get("transformers.exporters.base"), "HfExporter", None)
    return base is not None and isinstance(thing, type) and issubclass(thing, base)


def _taken(exporter: type[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, for an exporter that may know static shapes only."""
    known = {spec.name for spec in fields(exporter.config_class)}
    unknown = [name for name, value in settings.items() if value and name not in known]
    if unknown:
        raise NotImplementedError(
            f"{exporter.config_class.__name__} has no setting {' and no '.join(unknown)}"
        )
    return {name: value for name, value in settings.items() if name in known}
