"""What a selfcheck comes to: diffs of known truth, and where they tell otherwise.

1. Between two runs of one revision nothing may be told. Of a planted tree, of each cell just what
   its plant says, once what looks lost was executed again; of every other cell nothing.
2. What is told where nothing is to be told is a *false alarm*; what is not told as it is to be told
   a *miss*. A cell is one of them at most.
3. A rate is of cells: false alarms of those of which nothing is to be told, misses of the others.
4. An incomplete run shows nothing: all its cells are misses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from harness.cells import Cell
from runner.core.change import Change
from runner.core.confirm import UNCONFIRMED, Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.plants import Plant

NOTHING = "nothing: a revision against itself"
ELSEWHERE = "nothing: cells without a plant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How diffs told of one plant, or of nothing."""

    planted: str
    #: cells of which something is to be told
    loud: int = 0
    #: cells of which nothing is to be told, counted in each diff
    quiet: int = 0
    #: one line each: cell, and what was told of it
    false_alarms: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        return self.loud + self.quiet

    def __add__(self, other: Self) -> "Figure":
        return Figure(
            planted=self.planted,
            loud=self.loud + other.loud,
            quiet=self.quiet + other.quiet,
            false_alarms=self.false_alarms + other.false_alarms,
            misses=self.misses + other.misses,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selfcheck:
    """A selfcheck that has ended."""

    #: what it was made on: a revision of Transformers, or the toys
    revision: str
    stack: Mapping[str, str]
    ended_at: datetime
    figures: Sequence[Figure] = field(default_factory=tuple)

    @property
    def false_alarms(self) -> int:
        return sum(len(each.false_alarms) for each in self.figures)

    @property
    def misses(self) -> int:
        return sum(len(each.misses) for each in self.figures)

    @property
    def quiet(self) -> int:
        return sum(each.quiet for each in self.figures)

    @property
    def loud(self) -> int:
        return sum(each.loud for each in self.figures)

    @property
    def passed(self) -> bool:
        return not self.false_alarms and not self.misses

    def to_record(self) -> dict[str, Any]:
        """The contract of `selfcheck --json`."""
        return {
            "revision": self.revision,
            "stack": dict(self.stack),
            "ended_at": self.ended_at.isoformat(),
            "false_alarms": self.false_alarms,
            "of_quiet": self.quiet,
            "misses": self.misses,
            "of_loud": self.loud,
            "figures": [
                {
                    "planted": each.planted,
                    "loud": each.loud,
                    "quiet": each.quiet,
                    "false_alarms": list(each.false_alarms),
                    "misses": list(each.misses),
                }
                for each in self.figures
            ],
        }


def line(found: Selfcheck) -> str:
    """`0 false alarms in 98 cells, 0 misses in 20 planted ones (5.23.0)`."""
    alarms = "false alarm" if found.false_alarms == 1 else "false alarms"
    misses = "miss" if found.misses == 1 else "misses"
    return (
        f"{found.false_alarms} {alarms} in {found.quiet} cells, "
        f"{found.misses} {misses} in {found.loud} planted ones ({found.revision})"
    )


def of_itself(diffs: Iterable[Diff]) -> Figure:
    """What diffs of a revision with itself tell."""
    figure = Figure(planted=NOTHING)
    for found in diffs:
        figure += _judged(NOTHING, found, {item.cell: None for item in found.cells})
    return figure


def of_plants(found: Diff, plants: Iterable[Plant]) -> Iterator[Figure]:
    """What a diff with a planted tree tells: of each plant, then of all other cells."""
    meant: set[Cell] = set()
    for plant in plants:
        yield _judged(plant.name, found, plant.cells, plant.confirmed)
        meant |= plant.cells.keys()
    yield _judged(
        ELSEWHERE, found, {each.cell: None for each in found.cells if each.cell not in meant}
    )


def _judged(
    planted: str,
    found: Diff,
    cells: Mapping[Cell, Change | None],
    confirmed: Confirmed = Confirmed.NEW,
) -> Figure:
    told = {item.cell: item for item in found.cells}
    alarms, misses, loud = [], [], 0
    for cell, change in cells.items():
        item = told.get(cell)
        loud += _loud(change)
        line = f"{cell.id}: {_said(item)}"
        if not found.complete or item is None:
            misses.append(f"{line} (incomplete)")
        elif _loud(change) and not _as_meant(item, change, confirmed):
            misses.append(f"{line} instead of {change}, {confirmed}")
        elif not _loud(change) and item.change.told:
            alarms.append(line)
    return Figure(
        planted=planted,
        loud=loud,
        quiet=len(cells) - loud,
        false_alarms=tuple(alarms),
        misses=tuple(misses),
    )


def _loud(change: Change | None) -> bool:
    return change is not None and change.told


def _as_meant(item: CellChange, change: Change | None, confirmed: Confirmed) -> bool:
    """The change is the one, and so is what executing it again came to, if it was."""
    outcome = item.confirmation.outcome if item.confirmation else None
    return item.change is change and outcome in (None, confirmed)


def _said(item: CellChange | None) -> str:
    if item is None:
        return "not there"
    again = item.confirmation
    told = f", {again.outcome} ({again.why})" if again and again != UNCONFIRMED else ""
    title = item.after.title or item.after.reason if item.after else None
    return f"{item.change}{told}" + (f": {title}" if title else "")
