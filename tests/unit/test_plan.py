"""Shards: every cell once, the same everywhere, balanced."""

import random

import pytest

from harness.cells import Cell
from runner.core.plan import Expected, cost, expected, longest_first, shards

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


@pytest.mark.parametrize("seed", range(20))
def test_shards_of_any_costs_are_balanced_as_long_as_no_case_is_a_shard_by_itself(
    seed: int,
) -> None:
    chance = random.Random(seed)
    count = chance.randint(2, 16)
    cells = [
        Cell.parse(f"m/M{number}/{variant}/{backend}")
        for number in range(chance.randint(12, 40) * count)
        for variant in ("forward-static", "forward-dynamic")
        for backend in ("dynamo", "onnx", "executorch")[: chance.randint(1, 3)]
    ]
    costs = {cell.id: min(120.0, chance.lognormvariate(1, 1.2)) for cell in cells}
    loads = [
        sum(cost(cell, costs) for cell in shard)
        for shard in shards(cells, costs=costs, count=count)
    ]
    assert max(loads) <= 1.1 * sum(loads) / count
    assert min(loads) >= 0.9 * sum(loads) / count


def _cell(name: str, variant: str = "forward-static", backend: str = "onnx") -> Cell:
    return Cell.parse(f"m/{name}/{variant}/{backend}")


def test_a_cell_is_expected_to_take_what_it_took_or_the_median_of_its_kind_or_what_is_usual() -> (
    None
):
    ran, new, dynamic = _cell("A"), _cell("New"), _cell("New", "forward-dynamic")
    seconds = {_cell(name).id: took for name, took in (("A", 1.0), ("B", 7.0), ("C", 100.0))}
    found = expected([ran, new, dynamic], seconds, {ran.id: 300})
    assert found[ran] == Expected(seconds=1.0, mib=300)
    assert found[new] == Expected(seconds=7.0, mib=300)
    assert found[dynamic].seconds == cost(dynamic, {})
    assert found[dynamic].mib > 0


def test_cells_are_run_longest_first() -> None:
    cells = [_cell("A"), _cell("B"), _cell("C", backend="executorch")]
    order = longest_first(cells, {_cell("B").id: 9.0})
    assert [cell.model_class for cell in order] == ["C", "B", "A"]
