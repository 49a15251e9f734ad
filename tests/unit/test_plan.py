"""Shards: every cell once, the same everywhere, balanced."""

import random

import pytest

from harness.cells import Cell
from runner.core.plan import cost, shards

CELLS = [
    Cell.parse(f"m{number}/M{number}/forward-static/{backend}")
    for number in range(40)
    for backend in ("dynamo", "onnx", "executorch")
]
COSTS = {cell.id: 1.0 + (number * 7 % 13) for number, cell in enumerate(CELLS)}


def _load(shard: list[Cell]) -> float:
    return sum(cost(cell, COSTS) for cell in shard)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_shards_hold_every_cell_exactly_once(count: int) -> None:
    made = shards(CELLS, costs=COSTS, count=count)
    assert sorted(cell for shard in made for cell in shard) == sorted(CELLS)


def test_the_order_of_the_cells_does_not_matter() -> None:
    shuffled = random.Random(3).sample(CELLS, len(CELLS))
    assert shards(shuffled, costs=COSTS, count=4) == shards(CELLS, costs=COSTS, count=4)


def test_the_shards_are_balanced_within_a_tenth() -> None:
    loads = [_load(shard) for shard in shards(CELLS, costs=COSTS, count=4)]
    assert max(loads) <= 1.1 * min(loads)


def test_a_case_stays_in_one_shard() -> None:
    made = shards(CELLS, costs=COSTS, count=5)
    homes = {cell.case: number for number, shard in enumerate(made) for cell in shard}
    assert all(homes[cell.case] == number for number, shard in enumerate(made) for cell in shard)


def test_a_cell_that_was_never_run_costs_what_its_backend_usually_costs() -> None:
    dynamo, executorch = (
        Cell.parse(f"m/M/forward-static/{name}") for name in ("dynamo", "executorch")
    )
    assert cost(dynamo, {}) < cost(executorch, {})
