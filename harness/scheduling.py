"""Which cell a pytest-xdist worker gets next: longest first, and what fits beside the others.

A worker holds the cell that it runs and the one after it, for it can't end a cell without knowing
the next. So a cell is chosen while the one before it runs:

1. It is the one that the worker would take if nobody chose in advance: of those left, in the order
   of the file, each goes to whoever is free first. So nothing long waits behind something long.
2. It fits into memory beside what the other workers hold; of those that do, it is the nearest to
   that. If none does, the smallest goes, and the zygote lets it wait.
"""

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from harness.terms import Terms

if TYPE_CHECKING:
    import pytest

#: a cell's terms, by its pytest id
TermsOf = Callable[[str], Terms]
_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a worker has already."""

    #: seconds until it has ended all of it
    busy_s: float
    #: the most that any of it is expected to take
    mib: int


def choose(left: Sequence[Terms], mine: Held, others: Sequence[Held], *, memory_mib: int) -> int:
    """The place, among the cells that are left, of the one that a worker gets."""
    own = _own_turn(left, mine, others)
    room = memory_mib - sum(other.mib for other in others)
    nearest = chain(range(own, len(left)), range(own - 1, -1, -1))
    fits = (place for place in nearest if left[place].expected_mib <= room)
    if (place := next(fits, None)) is not None:
        return place
    return left.index(min(left, key=attrgetter("expected_mib")))


def _own_turn(left: Sequence[Terms], mine: Held, others: Sequence[Held]) -> int:
    free = [other.busy_s for other in others]
    heapq.heapify(free)
    place = 0
    while place < len(left) - 1 and free and free[0] < mine.busy_s:
        heapq.heapreplace(free, free[0] + left[place].expected_s)
        place += 1
    return place


def make_scheduler(
    config: "pytest.Config",
    log: Any,  # noqa: ANN401  (xdist's logger)
    *,
    terms_of: TermsOf,
    memory_mib: int,
) -> Any:  # noqa: ANN401  (xdist has no types)
    """xdist's `load` scheduler, with the choice above in place of the next cells in order."""
    from xdist.scheduler.load import LoadScheduling  # type: ignore[import-untyped]  # noqa: PLC0415  (only where xdist runs)

    class ChoosingScheduling(LoadScheduling):  # type: ignore[misc]  # untyped
        """Two cells a worker, each chosen by itself."""

        def __init__(self) -> None:
            super().__init__(config, log)
            self.maxschedchunk = 1
            self._since: dict[Any, float] = {}

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:  # noqa: ANN401  (a worker)
            self._since[node] = time.monotonic()
            super().mark_test_complete(node, item_index, duration)

        def _send_tests(self, node: Any, num: int) -> None:  # noqa: ANN401  (a worker)
            lacking = _AT_ONCE - len(self.node2pending[node])
            for _ in range(min(num, lacking, len(self.pending))):
                others = [self._held(other) for other in self.node2pending if other is not node]
                left = [self._terms(index) for index in self.pending]
                place = choose(left, self._held(node), others, memory_mib=memory_mib)
                index = self.pending.pop(place)
                self.node2pending[node].append(index)
                node.send_runtest_some([index])

        def _held(self, node: Any) -> Held:  # noqa: ANN401  (a worker)
            cells = [self._terms(index) for index in self.node2pending[node]]
            spent = time.monotonic() - self._since.setdefault(node, time.monotonic())
            lengths = [each.expected_s for each in cells]
            lengths[:1] = [max(0.0, each - spent) for each in lengths[:1]]
            mib = max((each.expected_mib for each in cells), default=0)
            return Held(busy_s=sum(lengths), mib=mib)

        def _terms(self, index: int) -> Terms:
            return terms_of(self.collection[index])

    return ChoosingScheduling()
