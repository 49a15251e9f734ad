"""Which revision to try next when looking for the first bad one, and when it is found.

The revisions stand in order, the oldest first. The first is known to be good and the last to be
bad; what lies between was asked for (`good`, `bad`) or can't tell (`skip`: it doesn't import, or
has no such class). As in git bisect, one change from good to bad is assumed: what is good after
something bad is told, not hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from harness.cells import Cell
from harness.errors import MatrixError


class Answer(StrEnum):
    """What a revision says of the cell."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Try:
    """The revision to ask next."""

    revision: str
    #: revisions that may still be the first bad one
    left: int

    @property
    def steps(self) -> int:
        """About how many more answers it takes."""
        return max(1, (self.left - 1).bit_length())


@dataclass(frozen=True, slots=True)
class Found:
    """The first bad revision: one, or several if those between can't tell."""

    candidates: tuple[str, ...]

    @property
    def certain(self) -> bool:
        return len(self.candidates) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisected:
    """What a bisect of a cell came to."""

    cell: Cell
    #: the ends that it began with
    good: str
    bad: str
    #: the other versions
    stack: Mapping[str, str]
    #: the first bad revision, or those among which it is, oldest first
    names: tuple[str, ...]
    #: how each is told: a commit's log line
    told: tuple[str, ...]
    #: why it fails there
    title: str | None
    ended_at: datetime

    @property
    def certain(self) -> bool:
        return len(self.names) == 1


def bisect(revisions: Sequence[str], answers: Mapping[str, Answer]) -> Try | Found:
    """What to do next; `MatrixError` if the answers contradict each other."""
    told = [answers.get(revision) for revision in revisions]
    if len(revisions) < 2 or told[0] is not Answer.GOOD or told[-1] is not Answer.BAD:
        raise MatrixError("a bisect begins at a good revision and ends at a later bad one")
    bad = told.index(Answer.BAD)
    good = max(number for number, answer in enumerate(told) if answer is Answer.GOOD)
    if good > bad:
        raise MatrixError(
            f"{revisions[good]} is good after {revisions[bad]} was bad: it broke more than once; "
            "bisect between two revisions with one change"
        )
    between = [number for number in range(good + 1, bad) if told[number] is None]
    if not between:
        return Found(tuple(revisions[good + 1 : bad + 1]))
    return Try(revisions[_middle(between)], bad - good)


def _middle(numbers: Sequence[int]) -> int:
    """The middle of the longest stretch without a gap: a cluster of skips is stepped over."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and stretches[-1][-1] == number - 1:
            stretches[-1].append(number)
        else:
            stretches.append([number])
    longest = max(stretches, key=len)
    return longest[len(longest) // 2]
