from harness.cells import Cell
from runner.core.pieces import LONGEST_S, SHORTEST_S, memory_mib, pieces

CELLS = [Cell.parse(f"m{n}/M/forward-static/dynamo") for n in range(100)]


def _seconds(divided: list[list[Cell]], costs: dict[str, float]) -> list[float]:
    return [sum(costs[cell.id] for cell in piece) for piece in divided]


def test_each_cell_is_in_one_piece_and_the_dearest_piece_comes_first() -> None:
    costs = {cell.id: 1.0 + n for n, cell in enumerate(CELLS)}
    divided = pieces(CELLS, costs=costs, workers=1, places=4)
    assert sorted(cell for piece in divided for cell in piece) == sorted(CELLS)
    loads = _seconds(divided, costs)
    assert loads == sorted(loads, reverse=True)


def test_every_place_gets_several_pieces() -> None:
    costs = dict.fromkeys((cell.id for cell in CELLS), 40.0)
    assert len(pieces(CELLS, costs=costs, workers=1, places=4)) == 16


def test_no_piece_is_too_short_for_its_zygote_even_if_places_stay_empty() -> None:
    costs = dict.fromkeys((cell.id for cell in CELLS), 3.0)
    divided = pieces(CELLS, costs=costs, workers=1, places=1000)
    assert len(divided) == 5
    assert min(_seconds(divided, costs)) >= SHORTEST_S
    assert len(pieces(CELLS, costs=costs, workers=4, places=1000)) == 1


def test_pieces_are_short_enough_for_machines_that_join_later() -> None:
    costs = dict.fromkeys((cell.id for cell in CELLS), 100.0)
    divided = pieces(CELLS, costs=costs, workers=1, places=1)
    assert max(_seconds(divided, costs)) <= LONGEST_S + 100


def test_pieces_do_not_depend_on_the_order_of_the_cells() -> None:
    one = pieces(CELLS, costs={}, workers=1, places=2)
    assert pieces(CELLS[::-1], costs={}, workers=1, places=2) == one


def test_a_piece_has_memory_for_one_cell_at_its_limit_beside_the_others_as_they_usually_are() -> (
    None
):
    alone = memory_mib([4096], [0], 1)
    assert alone >= 4096 + 1024
    assert memory_mib([4096, 4096], [100, 100], 2) < memory_mib([4096, 4096], [3000, 3000], 2)
    assert memory_mib([4096], [3000], 2) == alone
    assert memory_mib([8192, 4096], [0, 0], 1) == alone + 4096
