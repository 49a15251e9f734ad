"""Divides cells into shards: the dearest first, each to the cheapest shard so far.

Deterministic: the same cells, costs and count give the same shards on every machine. A case is the
unit, so that its backends share a shard and stand side by side.
"""

from collections.abc import Iterable, Mapping, Sequence

from harness.cells import Cell

#: seconds of a cell that was never run, by backend, static and dynamic (measured on tiny models)
_USUAL = {"dynamo": (1.0, 3.0), "onnx": (4.0, 9.0), "executorch": (15.0, 20.0)}
_UNKNOWN = (5.0, 10.0)


def cost(cell: Cell, costs: Mapping[str, float]) -> float:
    """Seconds that the cell took last, else what its backend usually takes."""
    usual = _USUAL.get(cell.backend, _UNKNOWN)[cell.variant.dynamic]
    return costs.get(cell.id, usual)


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
        filled[lightest] += _dearest_first(cases[case], costs)
        loads[lightest] += totals[case]
    return filled


def _dearest_first(cells: Sequence[Cell], costs: Mapping[str, float]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (-cost(cell, costs), cell))
