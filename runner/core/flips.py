"""How flaky a cell is: how often it flips while nothing that decides its outcome changes.

    flakiness = 100 * flips / considered runs

after TestGrid's flip flakiness. Of the last runs those are *considered* that executed the cell and
say something of it: not what was carried over (it is the same execution), skipped, missing, or an
error of ours. They are compared where what decides the outcome is equal: at one revision and stack,
or where an audit of what could have been carried over told that the fingerprint is the earlier
one's. A run that there is nothing to compare with is not considered. A *flip* is a change between
pass and not-pass from one of them to the next, or a flaky verdict, which flipped within its run. A
stretch of three or more failures in a row is left out: that is something broken, not flaky.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from runner.core.runs import Verdict

#: failures in a row that are a breakage
BROKEN = 3
_SAYS_NOTHING = (Verdict.MISSING, Verdict.SKIP, Verdict.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A cell's verdict in a run that executed it."""

    run_id: int
    verdict: Verdict
    #: results of one condition may be compared: what decides them is equal
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flakiness:
    """How often a cell flipped."""

    flips: int
    considered: int
    #: what the considered runs came to, oldest first
    runs: tuple[Executed, ...]

    @property
    def percent(self) -> float:
        return 100 * self.flips / self.considered if self.considered else 0.0


def flakiness(executed: Iterable[Executed]) -> Flakiness:
    """Of one cell's verdicts in runs that executed it, in any order."""
    said = sorted(
        (each for each in executed if each.verdict not in _SAYS_NOTHING),
        key=lambda each: (each.condition, each.run_id),
    )
    flips, kept = 0, list[Executed]()
    for _, alike in groupby(said, key=lambda each: each.condition):
        stretch = _unbroken(list(alike))
        if len(stretch) == 1 and not _flaky(stretch[0]):
            continue
        flips += sum(each.verdict is Verdict.FLAKY for each in stretch)
        steady = [each.verdict is Verdict.PASS for each in stretch if not _flaky(each)]
        flips += sum(before is not after for before, after in pairwise(steady))
        kept += stretch
    runs = tuple(sorted(kept, key=lambda each: each.run_id))
    return Flakiness(flips=flips, considered=len(runs), runs=runs)


def _unbroken(runs: Sequence[Executed]) -> list[Executed]:
    """Without the stretches of failures that are too long to be flakes."""
    kept: list[Executed] = []
    for failing, stretch in groupby(runs, key=_fails):
        members = list(stretch)
        if not (failing and len(members) >= BROKEN):
            kept += members
    return kept


def _fails(each: Executed) -> bool:
    return each.verdict is not Verdict.PASS and not _flaky(each)


def _flaky(each: Executed) -> bool:
    return each.verdict is Verdict.FLAKY
