"""A cell's fingerprint: a number of all that decides its outcome.

- the definitions that its build, eager run and export can reach (`reach`), from what the built
  model is **made of**: its class and configuration, and those of parts that other modules bring;
- what the registries say of those;
- the cell, the stack's versions, this project's own harness, and the dynamic shapes a user gives.

Equal fingerprints: nothing that could change the outcome has changed. A class that a revision
doesn't have, has no fingerprint there.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

from harness.cells import Cell
from runner.core.sources.definitions import BODY
from runner.core.sources.reach import Place, Reached, Sources

#: what of the harness executes a cell; the exporters' own module of a backend is added
_OURS = ("harness.attempt", "harness.isolation.child")
_EXPORTER = "transformers.exporters.exporter_{}"


class Fingerprints:
    """The fingerprints of one revision, on one stack."""

    def __init__(self, sources: Sources, *, zoo: str, common: Iterable[str]) -> None:
        """`common` names what all cells depend on besides: versions, the harness, tests."""
        self.sources = sources
        self._zoo = zoo
        self._common = tuple(common)
        self._start = cache(self._started)
        self._reach = cache(self._reached)

    @property
    def state(self) -> str:
        """Equal states: all fingerprints are equal, and none need be computed."""
        return _digest([*self._common, self.sources.digest])

    def of(self, cell: Cell, made_of: Sequence[str]) -> str | None:
        """The fingerprint of a cell whose model is made of these (`module:Class`), if it exists."""
        roots = tuple(_place(each) for each in made_of)
        if not roots or not all(root in self.sources for root in roots):
            return None
        return _digest(
            [cell.id, *self._common, self._reach(cell.backend, cell.model_type, roots)[1]]
        )

    def reached(self, cell: Cell, made_of: Sequence[str]) -> Reached:
        """What the cell can execute, and how that is reached."""
        roots = tuple(_place(each) for each in made_of)
        return self._reach(cell.backend, cell.model_type, roots)[0]

    def _reached(
        self, backend: str, model_type: str, roots: tuple[Place, ...]
    ) -> tuple[Reached, str]:
        words = {model_type, *(root.name for root in roots)}
        words |= {_package(root.module) for root in roots}
        entries = self.sources.entries(sorted(words))
        reached = self.sources.reach([*roots, *entries], self._start(backend))
        lines = sorted(
            f"{place.id} {found.digest}"
            for place in reached.origins
            if not place.module.startswith("harness.") and (found := self.sources.find(place))
        )
        return reached, _digest(lines)

    def _started(self, backend: str) -> Reached:
        modules = [*_OURS, f"harness.backends.{backend}", self._zoo, _EXPORTER.format(backend)]
        return self.sources.reach(
            place for module in modules for place in self.sources.everything(module)
        )


def _place(text: str) -> Place:
    module, _, name = text.partition(":")
    return Place(module, name or BODY)


def _package(module: str) -> str:
    return module.rpartition(".")[0].rpartition(".")[2]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
