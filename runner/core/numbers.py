"""Numbers of cells that pass on both sides, and moved beyond their noise.

A number has moved if all of this holds:

1. The two runs that are compared are apart by more than the measure's floor.
2. Enough runs executed it to know its noise: `ENOUGH` at the baseline's revision and stack, else
   among the last on that stack; of seconds as many at the head's, of the others one. Where they are
   too few it is counted, and never told as steady.
3. What stands for the sides is apart by more than the floor, and by more than 3.5 noises, where a
   noise is 1.4826 times the larger median absolute deviation: the modified z-score of Iglewicz and
   Hoaglin (How to Detect and Handle Outliers, 1993), whose bound is 3.5.
4. A few values look steady by chance. So their deviation is enlarged as Croux and Rousseeuw
   tabulate it (Time-efficient algorithms for two highly robust estimators of scale, 1992), and no
   number is taken for steadier than the median of all that are apart in its measure.

For a side stands its median; of seconds its minimum, for what disturbs a machine only adds (Chen
and Revels, Robust benchmarking in noisy environments, 2016).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from harness.cells import Cell
from runner.core.runs import CellVerdict, Verdict

#: runs that tell how noisy a number is
ENOUGH = 3
_BOUND = 3.5
#: of a normal distribution, the standard deviation by the median absolute deviation
_SIGMA = 1.4826
#: and what enlarges it, by the number of values from 2 on
_FEW = (1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)


class Measure(StrEnum):
    """A number of a cell; the value is the verdict's field."""

    DIFFERENCE = "max_abs_diff"
    MEMORY = "planned_bytes"
    TIME = "export_s"
    SIZE = "graph_nodes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What is too little to be told, whatever the noise: both must be passed."""

    ratio: float
    absolute: float


FLOORS = {
    Measure.DIFFERENCE: Floor(ratio=2.0, absolute=1e-6),
    Measure.MEMORY: Floor(ratio=1.05, absolute=2**20),
    Measure.TIME: Floor(ratio=1.2, absolute=1.0),
    Measure.SIZE: Floor(ratio=1.02, absolute=2),
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
    known, too_few = list[Move](), 0
    for each in found:
        old, new = (past.get(each.cell, {}).get(each.measure, ()) for past in (before, after))
        needed = ENOUGH if each.measure is Measure.TIME else 1
        if len(old) < ENOUGH or len(new) < needed:
            too_few += 1
        else:
            known.append(_move(each, old, new))
    usual = _usual_noise(known)
    moves = [
        replace(each, noise=max(each.noise, usual[each.measure] * each.before)) for each in known
    ]
    order = list(Measure)
    beyond = sorted(
        (each for each in moves if _beyond(each)),
        key=lambda each: (order.index(each.measure), -_ratio(each.before, each.after)),
    )
    return Numbers(moved=tuple(beyond), too_few=too_few)


def _move(found: Apart, old: Sequence[float], new: Sequence[float]) -> Move:
    """How far it moved, with its own noise."""
    stands = min if found.measure is Measure.TIME else median
    return Move(
        cell=found.cell,
        measure=found.measure,
        before=float(stands(old)),
        after=float(stands(new)),
        noise=max(_noise(old), _noise(new)),
        runs=(len(old), len(new)),
    )


def _beyond(move: Move) -> bool:
    far = _far(move.measure, move.before, move.after)
    return far and abs(move.after - move.before) > _BOUND * move.noise


def _usual_noise(moves: Iterable[Move]) -> dict[Measure, float]:
    """By measure, the median noise of the numbers that are apart, as a share of their values."""
    shares: dict[Measure, list[float]] = {}
    for each in moves:
        if each.before:
            shares.setdefault(each.measure, []).append(each.noise / each.before)
    return {measure: median(shares.get(measure, [0.0])) for measure in Measure}


def _noise(values: Sequence[float]) -> float:
    """The standard deviation as the median absolute deviation tells it; 0 of a single value."""
    middle = median(values)
    few = _FEW[len(values) - 2] if 2 <= len(values) < 2 + len(_FEW) else 1.0
    return _SIGMA * few * median(abs(each - middle) for each in values)


def _far(measure: Measure, before: float, after: float) -> bool:
    floor = FLOORS[measure]
    return abs(after - before) >= floor.absolute and _ratio(before, after) >= floor.ratio


def _ratio(before: float, after: float) -> float:
    """How many times the larger is the smaller."""
    low, high = sorted((before, after))
    return high / low if low > 0 else float("inf")
