"""Divides a shard into pieces for other machines, and says what room a piece needs.

- A piece runs one to five minutes: what starts on its machine first (a zygote, ten to thirty
  seconds) is then a small part of it, and several pieces for each place keep all busy to the end.
- The dearest piece comes first. A case's backends share a piece.
- A piece needs its workers' CPUs, and memory for a zygote, for one cell at its limit, and for the
  other workers' cells as they usually are.
"""

from collections.abc import Iterable, Mapping, Sequence

from harness.cells import Cell
from runner.core.plan import cost, shards

SHORTEST_S = 60.0
LONGEST_S = 300.0
_PER_PLACE = 4
_ZYGOTE_MIB = 1536
_USUAL_MIB = 1024
_STEP_MIB = 512


def pieces(
    cells: Sequence[Cell],
    *,
    costs: Mapping[str, float],
    workers: int,
    places: int,
    shortest_s: float = SHORTEST_S,
) -> list[list[Cell]]:
    """The cells in pieces, each cell once; `places` pieces of `workers` cells at once can run."""
    total = sum(cost(cell, costs) for cell in cells) / workers
    length = max(shortest_s, min(LONGEST_S, total / (max(1, places) * _PER_PLACE)))
    divided = shards(cells, costs=costs, count=max(1, int(total / length)))
    loads = [(sum(cost(cell, costs) for cell in piece), piece) for piece in divided if piece]
    return [piece for _, piece in sorted(loads, key=lambda each: (-each[0], each[1]))]


def memory_mib(limits: Iterable[int], expected: Iterable[int], workers: int) -> int:
    """What a piece needs, from its cells' limits and usual peaks in MiB (0: nobody knows).

    In few sizes, for what is alike waits in one queue, in order.
    """
    peaks = sorted((each or _USUAL_MIB for each in expected), reverse=True)
    need = _ZYGOTE_MIB + max(limits) + sum(peaks[1:workers])
    return -(-need // _STEP_MIB) * _STEP_MIB
