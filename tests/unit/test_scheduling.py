"""Which cell a worker gets next: nothing long behind something long, and what fits into memory."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from harness.scheduling import Held, choose
from harness.terms import Terms


def _terms(*lengths: float, mib: Sequence[int] = ()) -> list[Terms]:
    sizes = mib or [0] * len(lengths)
    return [
        Terms(expected_s=length, expected_mib=size)
        for length, size in zip(lengths, sizes, strict=True)
    ]


FREE = Held(busy_s=0, mib=0)


def test_a_free_worker_gets_the_first_cell() -> None:
    assert choose(_terms(9, 5, 1), FREE, [FREE], memory_mib=0) == 0


def test_behind_a_long_cell_comes_what_the_others_would_leave() -> None:
    left = _terms(90, 80, 5, 4)
    assert choose(left, Held(busy_s=100, mib=0), [FREE], memory_mib=0) == 2
    assert choose(left, Held(busy_s=10, mib=0), [Held(busy_s=100, mib=0)], memory_mib=0) == 0


def test_cells_of_which_nothing_is_known_go_in_order() -> None:
    assert choose(_terms(0, 0), Held(busy_s=0, mib=0), [FREE], memory_mib=0) == 0


@pytest.mark.parametrize(
    ("mib", "others", "place"),
    [
        ([10, 5, 1], [], 0),
        ([10, 5, 1], [14], 1),  # a giant lets those pass that fit beside what runs
        ([10, 5, 1], [9, 9], 2),
        ([10, 5, 9], [20], 1),  # none fits: the smallest, which the zygote lets wait
    ],
)
def test_what_fits_beside_the_others_comes_first(
    mib: list[int], others: list[int], place: int
) -> None:
    held = [Held(busy_s=0, mib=each) for each in others]
    assert choose(_terms(1, 1, 1, mib=mib), FREE, held, memory_mib=20) == place


@dataclass
class _Worker:
    """Two cells at most: the one that it runs, and the one after."""

    cells: list[Terms] = field(default_factory=list)
    since: float = 0.0

    def held(self, now: float) -> Held:
        lengths = [each.expected_s for each in self.cells]
        lengths[:1] = [max(0.0, each - (now - self.since)) for each in lengths[:1]]
        mib = max((each.expected_mib for each in self.cells), default=0)
        return Held(busy_s=sum(lengths), mib=mib)


def _play(cells: Sequence[Terms], *, workers: int, memory_mib: int = 10**9) -> tuple[float, int]:
    """Makespan, and the most memory at once, if every cell takes what is expected."""
    left, now, most = list(cells), 0.0, 0
    crew = [_Worker() for _ in range(workers)]
    ends: list[tuple[float, int]] = []
    for number in range(workers):
        for _ in range(2):
            _send(left, crew, number, now, memory_mib)
        heapq.heappush(ends, (crew[number].cells[0].expected_s, number))
    while ends:
        most = max(most, sum(each.cells[0].expected_mib for each in crew if each.cells))
        now, number = heapq.heappop(ends)
        worker = crew[number]
        del worker.cells[0]
        worker.since = now
        _send(left, crew, number, now, memory_mib)
        if worker.cells:
            heapq.heappush(ends, (now + worker.cells[0].expected_s, number))
    return now, most


def _send(
    left: list[Terms], crew: Sequence[_Worker], number: int, now: float, memory_mib: int
) -> None:
    if left:
        others = [each.held(now) for each in crew if each is not crew[number]]
        place = choose(left, crew[number].held(now), others, memory_mib=memory_mib)
        crew[number].cells.append(left.pop(place))


def _cells(seed: int, count: int = 300) -> list[Terms]:
    """Lengths as the sweeps have them: a median of three seconds, a few of more than a minute."""
    chance = random.Random(seed)
    lengths = [min(100.0, chance.lognormvariate(1.2, 1.2)) for _ in range(count)]
    return _terms(
        *sorted(lengths, reverse=True), mib=[chance.choice([100, 300, 900]) for _ in lengths]
    )


@pytest.mark.parametrize("workers", [2, 4, 8])
@pytest.mark.parametrize("seed", range(8))
def test_the_makespan_of_300_cells_is_near_its_lower_bound(seed: int, workers: int) -> None:
    cells = _cells(seed)
    lengths = [each.expected_s for each in cells]
    makespan, _ = _play(cells, workers=workers)
    assert makespan <= 1.05 * max(sum(lengths) / workers, *lengths)


@pytest.mark.parametrize("seed", range(8))
def test_two_giants_never_run_at_once_and_cost_no_time(seed: int) -> None:
    cells = _cells(seed)
    giants = _terms(*[20.0] * 10, mib=[2500] * 10)
    order = sorted([*cells, *giants], key=lambda each: -each.expected_s)
    lengths = [each.expected_s for each in order]
    makespan, most = _play(order, workers=2, memory_mib=4000)
    assert most <= 4000
    assert makespan <= 1.05 * sum(lengths) / 2
