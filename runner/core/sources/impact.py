"""What a change of sources can affect: definitions that differ, and the cells that reach them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cells import Cell
from runner.core.sources.fingerprint import Fingerprints
from runner.core.sources.reach import Place, Reached

#: reasons that one cell is given; the others say no more
_TOLD = 3
_GONE = "what it is made of is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A cell that may come out differently, and why."""

    cell: Cell
    #: changed definitions that it can execute, those that the fewest cells share first
    because: tuple[str, ...]
    #: how the first of them is reached, from what the model is made of
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a change can affect of the cells that were asked for."""

    #: definitions that differ, anywhere in the sources
    changed: tuple[str, ...]
    affected: tuple[Affected, ...]
    #: cells that only the newer sources have
    added: tuple[Cell, ...]
    unaffected: int

    def by_definition(self) -> dict[str, list[Affected]]:
        """The affected cells under the definition that explains them best."""
        grouped: dict[str, list[Affected]] = {}
        for each in self.affected:
            grouped.setdefault(each.because[0], []).append(each)
        return grouped


@dataclass(frozen=True, slots=True)
class _Changed:
    """A cell, the changed places that it reaches, and how it does on either side."""

    cell: Cell
    places: frozenset[Place]
    sides: tuple[Reached, ...]

    def told(self, shared: Counter[Place]) -> Affected:
        order = sorted(self.places, key=lambda place: (shared[place], place))[:_TOLD]
        return Affected(
            cell=self.cell,
            because=tuple(place.id for place in order) or (_GONE,),
            path=self._path(order[0]) if order else (),
        )

    def _path(self, place: Place) -> tuple[str, ...]:
        side = next(side for side in self.sides if place in side.origins)
        return tuple(step.id for step in side.path(place))


def impact(
    before: Fingerprints, after: Fingerprints, cells: Iterable[tuple[Cell, Sequence[str]]]
) -> Impact:
    """Compare two states of the sources for cells and what their models are made of."""
    changed = before.sources.changed(after.sources)
    if not changed:
        return Impact(changed=(), affected=(), added=(), unaffected=len(list(cells)))
    added: list[Cell] = []
    found: list[_Changed] = []
    unaffected = 0
    for cell, made_of in cells:
        old, new = before.of(cell, made_of), after.of(cell, made_of)
        if old is None:
            added.append(cell)
        elif old == new:
            unaffected += 1
        else:
            known = [side for side in (after, before) if side.of(cell, made_of)]
            sides = tuple(side.reached(cell, made_of) for side in known)
            places = frozenset(place for side in sides for place in changed & side.origins.keys())
            found.append(_Changed(cell, places, sides))
    shared = Counter(place for each in found for place in each.places)
    return Impact(
        changed=tuple(sorted(place.id for place in changed)),
        affected=tuple(each.told(shared) for each in found),
        added=tuple(added),
        unaffected=unaffected,
    )
