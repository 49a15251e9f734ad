"""How well a run used its workers: its makespan, against the least that any schedule could need.

No schedule is shorter than the longest cell, nor than all the work divided by the workers (Graham,
1969). Spans are what the runner saw: a cell ends when its result arrives, and began as long before
as its stages took, so that forks, clean-up and waiting count against the schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: (start, end) of a cell, in seconds of one clock
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What the cells that a run executed at once took together."""

    workers: int
    cells: int
    #: seconds from the first cell's start to the last one's end
    makespan_s: float
    #: seconds that no schedule could have fallen short of
    bound_s: float
    #: of the two; 1.0 is perfect
    ratio: float


def measured(spans: Sequence[Span], *, workers: int) -> Schedule | None:
    """The schedule that these spans tell; None without any."""
    if not spans:
        return None
    lengths = [end - start for start, end in spans]
    makespan = max(end for _, end in spans) - min(start for start, _ in spans)
    bound = max(sum(lengths) / workers, *lengths)
    return Schedule(
        workers=workers,
        cells=len(spans),
        makespan_s=makespan,
        bound_s=bound,
        ratio=makespan / bound if bound else 1.0,
    )
