"""Result lines that were made where code of others ran: which of them are believed.

Whoever can write the file of results can write anything into it. A line is believed only if it is a
result that was asked for and has not come yet: of this run, this attempt, and a cell of the plan.
It can't say that it was carried over. What it is told as (kind, signature, title) is decided here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Result
from runner.core.label import label
from runner.core.verdict import TRIES

#: characters: with all outputs, a traceback and a log, the longest real ones have a quarter of it
LONGEST = 2 * 2**20


def believed(line: str, *, run: str, attempts: Collection[int], cells: Collection[Cell]) -> Result:
    """The result of a line; `MatrixError` says in a few words why it is none."""
    if len(line) > LONGEST:
        raise MatrixError(f"longer than {LONGEST:,} characters")
    try:
        found = Result.from_line(line)
    except MatrixError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise MatrixError(f"no result ({type(error).__name__})") from None
    if found.run != run:
        raise MatrixError("of another run")
    if found.cell not in cells:
        raise MatrixError("of a cell that was not asked for")
    if found.attempt not in attempts:
        raise MatrixError("of an attempt that was not asked for")
    return label(found.replace(carried_from=None, signature=None, title=None))


@dataclass(slots=True)
class Sieve:
    """Lets the believed results of a plan through, each attempt of a cell once; counts the rest."""

    run: str
    cells: Collection[Cell]
    attempts: Collection[int] = range(1, TRIES + 1)
    #: why -> lines
    refused: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[Cell, int]] = field(default_factory=set)

    def through(self, lines: Iterable[str]) -> Iterator[Result]:
        for line in lines:
            try:
                found = believed(line, run=self.run, attempts=self.attempts, cells=self.cells)
            except MatrixError as error:
                self.refused[str(error)[:200]] += 1
                continue
            if (found.cell, found.attempt) in self.seen:
                self.refused["a second result of the same attempt"] += 1
                continue
            self.seen.add((found.cell, found.attempt))
            yield found
