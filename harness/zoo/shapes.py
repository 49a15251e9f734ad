"""Dynamic shapes that a user gives: which axes of which inputs may vary, and how far.

A file (TOML) has a table for each glob over `model_type/ModelClass`; in it, input → axis → what the
axis may be:

    ["llama/*"]
    input_ids = { 0 = "static", 1 = { max = 128 } }

- `"auto"`: symbolic, as without a file; so is everything that isn't named
- `"static"`, or the number itself: fixed at the size it is traced with
- `{ min = 2, max = 64 }`: symbolic within bounds; either may be left out

Of several tables that match a class, a later one's inputs replace an earlier one's. The sizes that
a program is run with a second time keep to all of it.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self

from harness.cells import folded
from harness.errors import CaseError, ShapesError, nearest

_WORDS = ("auto", "static")
_BOUNDS = ("min", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What the sizes of one axis may be."""

    #: always the size it is traced with
    fixed: bool = False
    min: int = 1
    max: int | None = None

    def allows(self, size: int) -> bool:
        return self.min <= size and (self.max is None or size <= self.max)

    @property
    def told(self) -> str:
        match self:
            case Axis(fixed=True):
                return "static" if self.max is None else f"static {self.max}"
            case Axis(min=1, max=None):
                return "auto"
            case Axis(max=None):
                return f"from {self.min}"
            case _:
                return f"{self.min} to {self.max}"


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is given for one class: input → axis → what it may be."""

    inputs: Mapping[str, Mapping[int, Axis]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.inputs)

    @property
    def told(self) -> str:
        """For a reader: `input_ids axis 0: static, input_ids axis 1: 1 to 128`."""
        return ", ".join(f"{name} axis {axis}: {each.told}" for name, axis, each in self._axes())

    def of(self, names: Iterable[str]) -> "Shapes":
        """What is given for the inputs of these names."""
        kept = set(names)
        return Shapes({name: axes for name, axes in self.inputs.items() if name in kept})

    def check_names(self, names: Iterable[str]) -> None:
        """`CaseError` for an input that is given and that no graph takes."""
        known = list(dict.fromkeys(names))
        for name in self.inputs:
            if name not in known:
                raise CaseError(
                    f"given: no input is named {name!r}{nearest(name, known)} "
                    f"(one of {', '.join(known)})"
                )

    def check_traced(self, inputs: Mapping[str, Any]) -> None:
        """`CaseError` for an axis that the inputs lack, or whose traced size is not allowed."""
        for name, axis, each in self._axes():
            shape = getattr(inputs[name], "shape", None)
            if shape is None:
                raise CaseError(f"given: {name} is no tensor, it has no axes")
            if axis >= len(shape):
                raise CaseError(f"given: {name} has no axis {axis}, its shape is {tuple(shape)}")
            if not each.allows(shape[axis]):
                raise CaseError(
                    f"given: {name} axis {axis} is {each.told}, but it is traced with {shape[axis]}"
                )

    def check_other(self, inputs: Mapping[str, Any], other: Mapping[str, Any]) -> None:
        """`CaseError` if `other` changes what is fixed, or leaves the bounds."""
        for name, axis, each in self._axes():
            old, new = _size(inputs, name, axis), _size(other, name, axis)
            if new is None:
                continue
            if (each.fixed and new != old) or not each.allows(new):
                raise CaseError(f"given: {name} axis {axis} is {each.told}, not {new}")

    def _axes(self) -> list[tuple[str, int, Axis]]:
        return [(n, axis, each) for n, axes in self.inputs.items() for axis, each in axes.items()]


def _size(inputs: Mapping[str, Any], name: str, axis: int) -> int | None:
    shape = getattr(inputs.get(name), "shape", ())
    return shape[axis] if axis < len(shape) else None


NOTHING_GIVEN = Shapes()


@dataclass(frozen=True, slots=True)
class GivenShapes:
    """A file of shapes: what it says of each glob, in its order."""

    tables: Mapping[str, Shapes] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read TOML; `ShapesError` says in one line what is wrong with it."""
        try:
            record = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ShapesError(f"not TOML: {error}") from None
        return cls({glob: Shapes(_inputs(glob, table)) for glob, table in record.items()})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file; `ShapesError` names it."""
        if not path.is_file():
            beside = [file.name for file in path.parent.glob("*.toml")]
            raise ShapesError(f"no such file: {path}{nearest(path.name, beside)}")
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (ShapesError, UnicodeDecodeError) as error:
            raise ShapesError(f"{path}: {error}") from None

    def for_class(self, model_type: str, name: str) -> Shapes:
        """What is given for one class."""
        found: dict[str, Mapping[int, Axis]] = {}
        for glob, shapes in self.tables.items():
            if _matches(glob, model_type, name):
                found |= shapes.inputs
        return Shapes(found)

    def check_known(self, classes: Iterable[tuple[str, str]]) -> None:
        """`ShapesError` for a glob that matches none of these classes, naming the nearest."""
        known = list(classes)
        for glob in self.tables:
            if not any(_matches(glob, *each) for each in known):
                kinds = [f"{model_type}/*" for model_type, _ in known]
                hint = nearest(glob, [*kinds, *("/".join(each) for each in known)])
                raise ShapesError(f"no model class matches [{glob!r}]{hint}")


ALL_AUTOMATIC = GivenShapes()


def _matches(glob: str, model_type: str, name: str) -> bool:
    """As in SELECT: a bare word is a glob over model types and over classes."""
    words = [f"{model_type}/{name}"] if "/" in glob else [model_type, name]
    return any(fnmatchcase(folded(word), folded(glob)) for word in words)


def _inputs(glob: str, table: Any) -> dict[str, dict[int, Axis]]:  # noqa: ANN401  (any TOML)
    if not isinstance(table, dict):
        raise ShapesError(f'{glob} = {table!r} stands in no table, such as ["llama/*"]')
    found = {}
    for name, axes in table.items():
        if not isinstance(axes, dict):
            raise ShapesError(
                f"[{glob!r}] {name}: {axes!r} names no axis, as in {{ 0 = 'static' }}"
            )
        where = f"[{glob!r}] {name}"
        found[name] = {_number(where, key): _axis(where, key, axes[key]) for key in axes}
    return found


def _number(where: str, key: str) -> int:
    if not key.isdecimal():
        raise ShapesError(f"{where}: {key!r} is no axis; axes are numbered from 0")
    return int(key)


def _axis(place: str, key: str, value: Any) -> Axis:  # noqa: ANN401  (any TOML)
    where = f"{place} axis {key}"
    match value:
        case "auto":
            return Axis()
        case "static":
            return Axis(fixed=True)
        case dict():
            return _bounded(where, value)
        case int() if _is_size(value):
            return Axis(fixed=True, min=value, max=value)
        case _:
            hint = nearest(value, _WORDS) if isinstance(value, str) else ""
            raise ShapesError(
                f"{where}: {value!r} is not 'auto', 'static', a size or {{ min, max }}{hint}"
            )


def _bounded(where: str, bounds: Mapping[str, Any]) -> Axis:
    for key, value in bounds.items():
        if key not in _BOUNDS:
            raise ShapesError(f"{where}: unknown key {key!r}{nearest(key, _BOUNDS)} (min or max)")
        if not _is_size(value):
            raise ShapesError(f"{where}: {key} = {value!r} is no size, a whole number from 1")
    axis = Axis(**bounds)
    if not axis.allows(axis.min):
        raise ShapesError(f"{where}: min = {axis.min} is over max = {axis.max}")
    return axis


def _is_size(value: Any) -> bool:  # noqa: ANN401  (any TOML)
    return type(value) is int and value >= 1
