"""Which cells of too many are run: some of each model type, so that no model goes unseen."""

from collections.abc import Iterable

from harness.cells import Cell
from runner.core.presets import PRESETS


def spread(cells: Iterable[Cell], most: int) -> list[Cell]:
    """As many cells: one of each model type, popular ones first, then a second of each, …"""
    by_type: dict[str, list[Cell]] = {}
    for cell in sorted(cells):
        by_type.setdefault(cell.model_type, []).append(cell)
    turns = (
        (turn, f"{name}/*" not in PRESETS["popular"], cell)
        for name, members in by_type.items()
        for turn, cell in enumerate(members)
    )
    return [cell for _, _, cell in sorted(turns)[:most]]
