"""Numbers of cells that pass on both sides, and moved beyond their noise.

A number has moved if all of this holds:

1. The two runs that are compared are apart by more than the measure's floor.
2. Enough runs executed it to know its noise: `ENOUGH` at the baseline's revision and stack, else
   among the last on that stack; of seconds as many at the head's, of the others one. Where they are
   too few it is counted, and never told as steady.
3. What stands for the sides is apart by more than the floor, and by more than 3.5 noises, where a
   noise is 1.4826 times the larger median absolute deviation: the modified z-score of Iglewicz and
   Hoaglin (How to Detect and Handle Outliers, 1993), whose bound is 3.5.

For a side stands its median; of seconds its minimum, for what disturbs a machine only adds (Chen
and Revels, Robust benchmarking in noisy environments, 2016).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from harness.cells import Cell
from runner.core.runs import CellVerdict, Verdict

#: runs that tell how noisy a number is
ENOUGH = 3
_BOUND = 3.5
#: of a normal distribution, the standard deviation by the median absolute deviation
_SIGMA = 1.4826


class Measure(StrEnum):
    """A number of a cell; the value is the verdict's field."""

    DIFFERENCE = "max_abs_diff"
    MEMORY = "planned_bytes"
    TIME = "export_s"
    SIZE = "graph_nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Floor:
    """What is too little to be told, whatever the noise: both must be passed."""

    ratio: float
    absolute: float


_FLOORS = {
    Measure.DIFFERENCE: _Floor(ratio=2.0, absolute=1e-6),
    Measure.MEMORY: _Floor(ratio=1.05, absolute=2**20),
    Measure.TIME: _Floor(ratio=1.2, absolute=1.0),
    Measure.SIZE: _Floor(ratio=1.02, absolute=2),
}
#: a cell's values in earlier runs, by measure
Past = Mapping[Cell, Mapping[Measure, Sequence[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A number that moved beyond its noise."""

    cell: Cell
    measure: Measure
    #: what stands for each side, and the noise, all in the measure's unit
    before: float
    after: float
    noise: float
    #: values of each side
    runs: tuple[int, int]

    @property
    def worse(self) -> bool:
        """Less is better of every measure."""
        return self.after > self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What the numbers of a diff tell."""

    #: by measure, the farthest first
    moved: tuple[Move, ...] = ()
    #: numbers that are apart, in too few runs to tell
    too_few: int = 0


NOTHING_MOVED = Numbers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """A number that is apart in the two runs that are compared."""

    cell: Cell
    measure: Measure
    before: float
    after: float


def apart(pairs: Iterable[tuple[CellVerdict | None, CellVerdict | None]]) -> list[Apart]:
    """The numbers of cells that pass on both sides and are apart: rule 1."""
    found = []
    for before, after in pairs:
        if before is None or after is None or not _comparable(before, after):
            continue
        for measure in Measure:
            values = getattr(before, measure), getattr(after, measure)
            if None not in values and _far(measure, *values):
                one = Apart(cell=after.cell, measure=measure, before=values[0], after=values[1])
                found.append(one)
    return found


def _comparable(before: CellVerdict, after: CellVerdict) -> bool:
    """Two executions that passed; a result that is carried over is the baseline's own, or older."""
    passed = before.verdict is after.verdict is Verdict.PASS
    return passed and after.carried_from is None


def moved(found: Iterable[Apart], *, before: Past, after: Past) -> Numbers:
    """Of the numbers that are apart, those that moved: rules 2 and 3."""
    moves, too_few = [], 0
    for each in found:
        old, new = (past.get(each.cell, {}).get(each.measure, ()) for past in (before, after))
        needed = ENOUGH if each.measure is Measure.TIME else 1
        if len(old) < ENOUGH or len(new) < needed:
            too_few += 1
        elif move := _move(each, old, new):
            moves.append(move)
    order = list(Measure)
    moves.sort(key=lambda each: (order.index(each.measure), -_ratio(each.before, each.after)))
    return Numbers(moved=tuple(moves), too_few=too_few)


def _move(found: Apart, old: Sequence[float], new: Sequence[float]) -> Move | None:
    stands = min if found.measure is Measure.TIME else median
    before, after = float(stands(old)), float(stands(new))
    noise = _SIGMA * max(_deviation(old), _deviation(new))
    if not _far(found.measure, before, after) or abs(after - before) <= _BOUND * noise:
        return None
    return Move(
        cell=found.cell,
        measure=found.measure,
        before=before,
        after=after,
        noise=noise,
        runs=(len(old), len(new)),
    )


def _deviation(values: Sequence[float]) -> float:
    """The median absolute deviation; 0 of a single value."""
    middle = median(values)
    return median(abs(each - middle) for each in values)


def _far(measure: Measure, before: float, after: float) -> bool:
    floor = _FLOORS[measure]
    return abs(after - before) >= floor.absolute and _ratio(before, after) >= floor.ratio


def _ratio(before: float, after: float) -> float:
    """How many times the larger is the smaller."""
    low, high = sorted((before, after))
    return high / low if low > 0 else float("inf")
