"""Planted breakages: edits of a Transformers tree, and what a diff must tell of which cells.

A plant is text that is put into a tree, by one of three edits that hold from release to release:

- `into = "LlamaMLP.forward"`: statements at the beginning of that function, after its docstring.
  `{x}` is the function's first parameter, `{marks}` a folder of the selfcheck's own.
- without `into`: statements at the top of the module, after its docstring and `__future__`.
- `unlist = "BloomModel"`: the class is taken out of the module's `__all__`.

What is not there is refused: a plant that isn't planted would be told as a miss.
"""

import ast
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cells import Cell
from harness.errors import MatrixError
from runner.core.change import Change
from runner.core.confirm import Confirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One breakage (or a change that breaks nothing), and what must be told of it."""

    name: str
    #: in the tree's `transformers`
    file: str
    #: what must be told, by cell
    cells: Mapping[Cell, Change]
    into: str | None = None
    text: str = ""
    unlist: str | None = None
    #: what executing the cells that look lost again must come to
    confirmed: Confirmed = Confirmed.NEW
    #: seconds and MiB that its cells may take, where it is about that
    time_s: float | None = None
    memory_mib: int | None = None

    @property
    def owner(self) -> str | None:
        """The class that it is planted in; None for the module."""
        return self.unlist or (self.into.partition(".")[0] if self.into else None)


def read_plants(text: str) -> tuple[Plant, ...]:
    """The plants of a TOML file."""
    return tuple(_plant(row) for row in tomllib.loads(text)["plant"])


def _plant(row: dict[str, Any]) -> Plant:
    cells = {Cell.parse(cell): Change(change) for cell, change in row.pop("cells").items()}
    confirmed = Confirmed(row.pop("confirmed", Confirmed.NEW))
    return Plant(cells=cells, confirmed=confirmed, **row)


def trees(plants: Iterable[Plant]) -> list[list[Plant]]:
    """Few trees that hold them all, none of them two in one class or of one cell."""
    found: list[list[Plant]] = []
    for plant in plants:
        free = (tree for tree in found if not any(_meet(plant, each) for each in tree))
        tree = next(free, None)
        if tree is None:
            found.append(tree := [])
        tree.append(plant)
    return found


def _meet(one: Plant, other: Plant) -> bool:
    whole = not one.owner or not other.owner
    place = one.file == other.file and (whole or one.owner == other.owner)
    return place or bool(one.cells.keys() & other.cells.keys())


def planted(source: str, plant: Plant, *, marks: str) -> str:
    """The module with the plant in it; `MatrixError` if it lacks what the plant is put into."""
    module, lines = ast.parse(source), source.splitlines(keepends=True)
    if plant.unlist:
        return _unlisted(module, lines, plant)
    if plant.into is None:
        line, indent, first = _top(module), 0, ""
    else:
        function = _function(module, plant)
        body = _after_docstring(function.body)
        line, indent = body[0].lineno - 1, body[0].col_offset
        first = next((each.arg for each in function.args.args if each.arg != "self"), "")
    text = plant.text.replace("{x}", first).replace("{marks}", marks)
    lines.insert(line, textwrap.indent(textwrap.dedent(text).strip() + "\n", " " * indent))
    return "".join(lines)


def _function(module: ast.Module, plant: Plant) -> ast.FunctionDef:
    """The function that is planted in, of which a class has one."""
    assert plant.into is not None  # noqa: S101  (asked by the caller)
    owner, _, name = plant.into.partition(".")
    for each in module.body:
        if isinstance(each, ast.ClassDef) and each.name == owner:
            for one in each.body:
                if isinstance(one, ast.FunctionDef) and one.name == name:
                    return one
    raise _absent(plant, plant.into)


def _top(module: ast.Module) -> int:
    """The line before which imports may stand."""
    body = _after_docstring(module.body)
    rest = (each for each in body if getattr(each, "module", None) != "__future__")
    return next(rest).lineno - 1


def _after_docstring(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    first = body[0]
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if told and len(body) > 1 else body


def _unlisted(module: ast.Module, lines: list[str], plant: Plant) -> str:
    """Another name stands twice instead: so its list stays one of names."""
    listed = [
        name
        for each in module.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "__all__"
        for name in ast.walk(each.value)
        if isinstance(name, ast.Constant)
    ]
    others = [str(each.value) for each in listed if each.value != plant.unlist]
    gone = next((each for each in listed if each.value == plant.unlist), None)
    if gone is None or not others:
        raise _absent(plant, f"{plant.unlist} among others in its __all__")
    row = lines[gone.lineno - 1].encode()
    kept = row[: gone.col_offset] + repr(others[0]).encode() + row[gone.end_col_offset :]
    lines[gone.lineno - 1] = kept.decode()
    return "".join(lines)


def _absent(plant: Plant, what: str) -> MatrixError:
    return MatrixError(
        f"{plant.file} has no {what}, where {plant.name!r} is planted: runner/plants.toml was not "
        "written for this revision"
    )
