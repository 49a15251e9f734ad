"""What a query is made of, and whether it holds of a cell: true, false, or unknown (None)."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.cells import Cell, folded
from runner.core.runs import CellVerdict, Verdict
from runner.core.select import CELL_KEYS, RUN_KEYS, VERDICT_KEYS, Selection

#: how a result stands, beyond its verdict
STATES: Mapping[str, str] = {
    "regressed": "it passed in the baseline, or stopped later",
    "fixed": "it did not pass in the baseline",
    "fails-differently": "another failure than in the baseline",
    "newly-skipped": "it was no skip in the baseline",
    "carried": "carried over from an earlier run",
    "suspect": "not to be trusted at once: a timeout, a crash, out of memory",
    "flaky": "its outcome flipped while nothing that decides it changed",
    "known": "it fails as a known failure says",
    "stale-skip": "better than its known failure says",
}

NUMBERS: Mapping[str, Callable[[CellVerdict], float | None]] = {
    "delta": lambda found: found.max_abs_diff,
    "memory": lambda found: found.peak_rss_bytes,
    "planned": lambda found: found.planned_bytes,
    "time": lambda found: found.duration_s,
    "attempts": lambda found: found.attempts,
}
_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(slots=True, kw_only=True)  # made per cell, and a frozen one takes thrice as long
class Facts:
    """What a query can be asked about; None for what nobody looked up."""

    cell: Cell | None = None
    found: CellVerdict | None = None
    #: backend -> what the same case came to
    siblings: Mapping[str, Verdict] | None = None
    #: the cell's verdicts in consecutive runs, oldest first, this one's last
    past: Sequence[Verdict] | None = None
    states: frozenset[str] | None = None
    #: key of `GROUP_KEYS` -> what holds of the failure group that it is in
    group: Mapping[str, str] = field(default_factory=dict)
    #: key of `RUN_KEYS` -> what holds of the run that it is of
    run: Mapping[str, tuple[str, ...]] | None = None

    def told(self, key: str) -> tuple[str, ...] | None:
        """What a glob of that key is compared with."""
        if key in CELL_KEYS:
            return None if self.cell is None else CELL_KEYS[key](self.cell)
        if key in RUN_KEYS:
            return None if self.run is None else self.run[key]
        if self.found is None:
            return None
        if key in VERDICT_KEYS:
            return VERDICT_KEYS[key](self.found)
        return (self.group[key],) if key in self.group else ()


@dataclass(frozen=True, slots=True)
class Plain:
    """Words side by side, as SELECT has them."""

    selection: Selection

    def holds(self, facts: Facts) -> bool | None:
        return self.selection.holds(facts.told)


@dataclass(frozen=True, slots=True)
class Number:
    """A comparison with a number; what was not measured is neither."""

    key: str
    how: str
    limit: float

    def holds(self, facts: Facts) -> bool | None:
        if facts.found is None:
            return None
        value = NUMBERS[self.key](facts.found)
        return value is not None and bool(_COMPARE[self.how](value, self.limit))


@dataclass(frozen=True, slots=True)
class Sibling:
    """What the same case came to on a backend."""

    backend: str
    verdict: str

    def holds(self, facts: Facts) -> bool | None:
        if facts.siblings is None:
            return None
        found = facts.siblings.get(self.backend)
        return found is not None and folded(found) == self.verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """One of `STATES`."""

    state: str

    def holds(self, facts: Facts) -> bool | None:
        return None if facts.states is None else self.state in facts.states


@dataclass(frozen=True, slots=True)
class Past:
    """Verdicts in consecutive runs; `!pass` is any other. Runs that lack the cell don't count."""

    verdicts: tuple[str, ...]

    def holds(self, facts: Facts) -> bool | None:
        if facts.past is None:
            return None
        seen = [folded(each) for each in facts.past if each is not Verdict.MISSING]
        size = len(self.verdicts)
        windows = (seen[start : start + size] for start in range(len(seen) - size + 1))
        return any(all(map(_as_asked, self.verdicts, window)) for window in windows)


def _as_asked(asked: str, found: str) -> bool:
    return found != asked[1:] if asked.startswith("!") else found == asked


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"

    def holds(self, facts: Facts) -> bool | None:
        found = self.part.holds(facts)
        return None if found is None else not found


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple["Node", ...]

    def holds(self, facts: Facts) -> bool | None:
        return _decided(self.parts, facts, by=False)


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple["Node", ...]

    def holds(self, facts: Facts) -> bool | None:
        return _decided(self.parts, facts, by=True)


def _decided(parts: Iterable["Node"], facts: Facts, *, by: bool) -> bool | None:
    """`by` as soon as a part says so; else the opposite, or None if a part can't tell."""
    known = True
    for part in parts:
        found = part.holds(facts)
        if found is by:
            return by
        known = known and found is not None
    return not by if known else None


Node = Plain | Number | Sibling | Standing | Past | Not | Every | Some


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was read."""

    text: str
    node: Node
    #: all its leaves
    leaves: tuple[Node, ...] = field(compare=False)

    @property
    def selections(self) -> list[Selection]:
        return [leaf.selection for leaf in self.leaves if isinstance(leaf, Plain)]

    def asks(self, kind: type[Number | Sibling | Standing | Past]) -> bool:
        """Whether some word of it needs facts of that kind."""
        return any(isinstance(leaf, kind) for leaf in self.leaves)

    def names(self, key: str) -> bool:
        """Whether it says anything about that key, also inside a cell glob."""
        return any(selection.names(key) for selection in self.selections)

    def cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of the cells that are meant, as far as cells alone can tell."""
        return [cell for cell in cells if self.node.holds(Facts(cell=cell)) is not False]

    def matches(self, facts: Facts) -> bool:
        """Whether it is meant; what nobody looked up leaves out nothing."""
        return self.node.holds(facts) is not False
