"""Divides cells into shards: the dearest first, each to the cheapest shard so far.

Deterministic: the same cells, costs and count give the same shards on every machine. A case is the
unit, so that its backends share a shard and stand side by side.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from harness.cells import Cell

#: MiB that a cell adds to the zygote at its peak, in the same way
_USUAL_MIB = {"dynamo": (150, 200), "onnx": (150, 250), "executorch": (400, 800)}
_UNKNOWN_MIB = (400, 800)
#: seconds of a cell that was never run, by backend, static and dynamic (measured on tiny models)
_USUAL = {"dynamo": (1.0, 3.0), "onnx": (4.0, 9.0), "executorch": (15.0, 20.0)}
_UNKNOWN = (5.0, 10.0)


def cost(cell: Cell, costs: Mapping[str, float]) -> float:
    """Seconds that the cell took last, else what its backend usually takes."""
    usual = _USUAL.get(cell.backend, _UNKNOWN)[cell.variant.dynamic]
    return costs.get(cell.id, usual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a cell is expected to take."""

    seconds: float
    #: resident memory over the zygote's, at its peak
    mib: int


def expected(
    cells: Iterable[Cell], seconds: Mapping[str, float], mib: Mapping[str, int]
) -> dict[Cell, Expected]:
    """For each cell what it took last, else the median of its backend, static or dynamic.

    Where nothing is known of its kind, what is usual.
    """
    cells = list(cells)
    time_s = _filled(cells, seconds, lambda cell: cost(cell, {}))
    memory = _filled(cells, mib, _usual_mib)
    return {cell: Expected(seconds=time_s[cell], mib=int(memory[cell])) for cell in cells}


def costs_of(expected: Mapping[Cell, Expected]) -> dict[str, float]:
    """Cell id → seconds, as `shards` takes them."""
    return {cell.id: each.seconds for cell, each in expected.items()}


def _filled(
    cells: Iterable[Cell], known: Mapping[str, float], usual: Callable[[Cell], float]
) -> dict[Cell, float]:
    kinds: dict[tuple[str, bool], list[float]] = {}
    for name, value in known.items():
        kinds.setdefault(_kind(Cell.parse(name)), []).append(value)
    medians = {kind: median(values) for kind, values in kinds.items()}
    return {cell: known.get(cell.id) or medians.get(_kind(cell)) or usual(cell) for cell in cells}


def _usual_mib(cell: Cell) -> float:
    return _USUAL_MIB.get(cell.backend, _UNKNOWN_MIB)[cell.variant.dynamic]


def _kind(cell: Cell) -> tuple[str, bool]:
    return cell.backend, cell.variant.dynamic


def shards(cells: Iterable[Cell], *, costs: Mapping[str, float], count: int) -> list[list[Cell]]:
    """`count` lists that together hold each cell once; long cases first within each."""
    cases: dict[str, list[Cell]] = {}
    for cell in sorted(set(cells)):
        cases.setdefault(cell.case, []).append(cell)
    totals = {case: sum(cost(cell, costs) for cell in members) for case, members in cases.items()}
    filled: list[list[Cell]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for case in sorted(cases, key=lambda name: (-totals[name], name)):
        lightest = loads.index(min(loads))
        filled[lightest] += longest_first(cases[case], costs)
        loads[lightest] += totals[case]
    return filled


def longest_first(cells: Iterable[Cell], costs: Mapping[str, float]) -> list[Cell]:
    """The order in which cells are run."""
    return sorted(cells, key=lambda cell: (-cost(cell, costs), cell))
