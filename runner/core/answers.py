"""Can I export it? What the last runs say of one way to export the classes of a model type.

- *yes*: every class that could run passes in the newest run that has results of it; *partly*: some.
- *since* is the oldest run of those that pass without a break up to there; runs that lack the cell,
  or have no result, don't break it. If that is the oldest run that was looked at, it may be longer.
- How exact is told by the worst of the classes that pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.cells import Cell
from runner.core.runs import Verdict


class Answer(StrEnum):
    """Whether it can be exported so."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A backend exporting one variant, for all classes of a type."""

    backend: str
    variant: str
    answer: Answer
    passed: int
    #: classes that were not skipped, missing, or an error of ours
    ran: int
    #: number of the run since which all pass without a break; None unless the answer is yes
    since: int | None
    #: whether that is the oldest run that was looked at
    at_least: bool
    max_abs_diff: float | None
    #: a class that passes, the first by name
    example: Cell | None


_SILENT = (Verdict.MISSING, Verdict.SKIP, Verdict.ERROR)


def way(
    backend: str,
    variant: str,
    told: Mapping[Cell, Sequence[tuple[int, Verdict, float | None]]],
    *,
    oldest: int | None,
) -> Way:
    """The answer for these cells; of each, (run, verdict, largest difference), oldest first."""
    newest = {cell: seen for cell, past in told.items() if (seen := _last(past))}
    passing = [cell for cell in sorted(newest) if newest[cell][1] is Verdict.PASS]
    exact = [diff for cell in passing if (diff := newest[cell][2]) is not None]
    answer = Answer.UNKNOWN if not newest else Answer.NO if not passing else Answer.PARTLY
    since = None
    if newest and len(passing) == len(newest):
        answer, since = Answer.YES, max(_since(told[cell]) for cell in passing)
    return Way(
        backend=backend,
        variant=variant,
        answer=answer,
        passed=len(passing),
        ran=len(newest),
        since=since,
        at_least=since is not None and since == oldest,
        max_abs_diff=max(exact, default=None),
        example=passing[0] if passing else None,
    )


def _last(
    past: Sequence[tuple[int, Verdict, float | None]],
) -> tuple[int, Verdict, float | None] | None:
    """The newest that says anything: a skip or an error of ours is no answer."""
    return next((each for each in reversed(past) if each[1] not in _SILENT), None)


def _since(past: Sequence[tuple[int, Verdict, float | None]]) -> int:
    first = past[-1][0]
    for run, verdict, _ in reversed(past):
        if verdict is Verdict.PASS:
            first = run
        elif verdict not in _SILENT:
            break
    return first
