"""Root over dependants: of cells that fail alike, those that no other one of them explains.

A model class that contains another one fails where that one does: `LlamaForCausalLM` with
`LlamaModel`, `LlavaModel` with both. A *root* is a failing cell none of whose contained classes
fails with the same signature in the same variant and backend; the others are its *dependants*.

What contains what, as far as results know:

- what the built model was made of (`made_of`, kept with fingerprints): classes of other modules;
- within one model type, by name: a head (`…For…`, `…With…`, `…LMHeadModel`) contains the `…Model`
  with the longest common stem, and a `…Model` those whose names go on from its own (`CLIPModel`
  has the `CLIPTextModel`, whatever has the same stem).

Containing is not enough to be a dependant: the failure must be the same. So a name that misleads
only moves a cell from one root to another of the same failure group.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from harness.cells import Cell
from runner.core.runs import CellVerdict

_HEAD = re.compile(r"For[A-Z]|With[A-Z]|LMHead|DoubleHeads|Pre[Tt]raining")
_TYPE = re.compile(r"transformers\.models\.(\w+)\.")

#: (model type, model class)
Name = tuple[str, str]
#: cell -> what its model was made of, `module:Class`
MadeOf = Mapping[Cell, Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A failing cell, and those that fail because they contain its model."""

    root: CellVerdict
    dependants: tuple[CellVerdict, ...]


def causes(failed: Iterable[CellVerdict], made_of: MadeOf) -> list[Cause]:
    """The failing cells by their roots, in order; each cell stands once."""
    found = sorted(failed, key=lambda each: each.cell)
    under = roots(found, made_of)
    dependants: dict[Cell, list[CellVerdict]] = {}
    for each in found:
        if each.cell in under:
            dependants.setdefault(under[each.cell], []).append(each)
    return [
        Cause(root=each, dependants=tuple(dependants.get(each.cell, ())))
        for each in found
        if each.cell not in under
    ]


def roots(failed: Iterable[CellVerdict], made_of: MadeOf) -> dict[Cell, Cell]:
    """dependant -> its root; a cell that is not there is a root itself."""
    alike: dict[tuple[object, ...], dict[Name, Cell]] = {}
    for each in failed:
        if each.signature is not None:
            key = (each.signature, each.cell.variant, each.cell.backend)
            alike.setdefault(key, {})[_name(each.cell)] = each.cell
    return {cell: root for members in alike.values() for cell, root in _under(members, made_of)}


def _under(members: Mapping[Name, Cell], made_of: MadeOf) -> Iterable[tuple[Cell, Cell]]:
    """Each member that contains another one, and the root that it leads to."""
    types: dict[str, set[Name]] = {}
    for name in members:
        types.setdefault(name[0], set()).add(name)
    part = {
        name: min(
            _by_name(name, types[name[0]])
            | (_made(made_of.get(cell, ())) & members.keys() - {name}),
            default=None,
        )
        for name, cell in members.items()
    }
    for name, cell in members.items():
        path, at = [name], part[name]
        while at is not None and at not in path:
            path.append(at)
            at = part[at]
        # Where names and makeup contradict each other, a circle has one root all the same.
        root = path[-1] if at is None else min(path[path.index(at) :])
        if root != name:
            yield cell, members[root]


def _made(made_of: Collection[str]) -> set[Name]:
    """The model classes that a model was made of."""
    return {found for part in made_of if (found := _of_part(part))}


def _by_name(name: Name, beside: set[Name]) -> set[Name]:
    """The classes of its own type that a class contains, by their names."""
    whole = name[1]
    parts = {each for each in beside if each != name and _contains(whole, each[1])}
    if _HEAD.search(whole) and parts:
        return {max(parts, key=lambda each: (len(each[1]), each))}
    return parts


def _of_part(part: str) -> Name | None:
    module, _, name = part.partition(":")
    found = _TYPE.match(module)
    return (found[1], name) if found else None


def _contains(whole: str, part: str) -> bool:
    """By their names alone: heads contain models, and models the models named after them."""
    if _HEAD.search(part) or not part.endswith("Model"):
        return False
    stem = part.removesuffix("Model")
    if _HEAD.search(whole):
        return whole.startswith(stem)
    return whole.endswith("Model") and stem.startswith(whole.removesuffix("Model"))


def _name(cell: Cell) -> Name:
    return cell.model_type, cell.model_class
