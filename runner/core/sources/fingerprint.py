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
from functools import cache, lru_cache
from itertools import islice

from harness.cells import Cell
from runner.core.sources.definitions import BODY
from runner.core.sources.reach import Place, Reached, Sources

#: what of the harness executes a cell; the exporters' own module of a backend is added
_OURS = ("harness.attempt", "harness.isolation.child")
#: put in the place of torch's by their names, so no source names them
_PUT_INTO_TORCH = "transformers.initialization"
#: every model and every configuration is one of these
_BASES = (
    "transformers.modeling_utils:PreTrainedModel",
    "transformers.configuration_utils:PreTrainedConfig",
)
#: results of a search that are at hand: the variants of a class ask for the same
_KEPT = 16
_EXPORTER = "transformers.exporters.exporter_{}"


class Fingerprints:
    """The fingerprints of one revision, on one stack."""

    def __init__(self, sources: Sources, *, zoo: str, common: Iterable[str]) -> None:
        """`common` names what all cells depend on besides: versions, the harness, tests."""
        self.sources = sources
        self._zoo = zoo
        self._common = tuple(common)
        self._start = cache(self._started)
        self._reach = lru_cache(_KEPT)(self._reached)
        self._digest = cache(self._digested)

    def of(self, cell: Cell, made_of: Sequence[str]) -> str | None:
        """The fingerprint of a cell whose model is made of these (`module:Class`), if it exists."""
        roots = tuple(_place(each) for each in made_of)
        if not roots or not all(root in self.sources for root in roots):
            return None
        reached = self._digest(cell.backend, cell.model_type, roots)
        return _digest([cell.id, *self._common, reached])

    def reached(self, cell: Cell, made_of: Sequence[str]) -> Reached:
        """What the cell can execute, and how that is reached."""
        return self._reach(cell.backend, cell.model_type, tuple(map(_place, made_of)))

    def _reached(self, backend: str, model_type: str, roots: tuple[Place, ...]) -> Reached:
        words = {model_type, *(root.name for root in roots)}
        words |= {_package(root.module) for root in roots}
        entries = self.sources.entries(sorted(words))
        return self.sources.reach([*roots, *entries], self._start(backend)[0])

    def _digested(self, backend: str, model_type: str, roots: tuple[Place, ...]) -> str:
        """Of what is reached; what all cells of a backend reach, by one digest."""
        start, common = self._start(backend)
        reached = self._reach(backend, model_type, roots)
        return _digest([common, *self._lines(islice(reached.origins, len(start.origins), None))])

    def _lines(self, places: Iterable[Place]) -> list[str]:
        return sorted(
            f"{place.id} {found.digest}"
            for place in places
            if not place.module.startswith("harness.") and (found := self.sources.find(place))
        )

    def _started(self, backend: str) -> tuple[Reached, str]:
        """What all cells of a backend reach, and its digest."""
        modules = [*_OURS, f"harness.backends.{backend}", self._zoo]
        modules += [_EXPORTER.format(backend), _PUT_INTO_TORCH]
        places = (place for module in modules for place in self.sources.everything(module))
        start = self.sources.reach([*places, *map(_place, _BASES)])
        return start, _digest(self._lines(start.origins))


def _place(text: str) -> Place:
    module, _, name = text.partition(":")
    return Place(module, name or BODY)


def _package(module: str) -> str:
    return module.rpartition(".")[0].rpartition(".")[2]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
