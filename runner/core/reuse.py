"""What of earlier results a run may carry over, and whether an audit agrees with it.

An outcome is carried if it says something about the model: a pass, or a failure of theirs that is
no suspect. What the harness could not build, what ran out of time or memory, what crashed and what
flipped, is run again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.cells import Cell
from harness.results import Outcome, Result
from runner.core.classify import classify
from runner.core.runs import Audit

#: percent of what could be carried that is run all the same
AUDIT_PERCENT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a cell came to when what decides it was in a certain state."""

    cell: Cell
    fingerprint: str
    #: of all texts and versions when it was last seen; equal states need no fingerprint
    state: str
    #: what its model was made of, `module:Class`
    made_of: tuple[str, ...]
    #: uid of the run that executed it
    run: str


def lasting(attempts: Sequence[Result]) -> bool:
    """Whether a cell's attempts came to an outcome that may be carried."""
    if not attempts or len({each.outcome for each in attempts}) > 1:
        return False
    last = attempts[-1]
    return last.outcome is Outcome.PASS or (
        last.outcome is Outcome.FAIL and not classify(last).suspect
    )


def is_audited(run: str, cell: Cell, percent: float) -> bool:
    """Whether a cell is of the sample; the same for a run, however often it is asked."""
    number = int.from_bytes(hashlib.sha256(f"{run} {cell.id}".encode()).digest()[:4])
    return number / 2**32 < percent / 100


def audit(
    expected: Iterable[Result], executed: Mapping[Cell, Sequence[Result]], *, carried: int
) -> Audit:
    """Compare what would have been carried with what came of running it all the same."""
    pairs = [(each, executed[each.cell][-1]) for each in expected if each.cell in executed]
    missed = tuple(each.cell.id for each, found in pairs if _story(each) != _story(found))
    return Audit(carried=carried, audited=len(pairs), missed=missed)


def _story(result: Result) -> tuple[object, ...]:
    return result.outcome, result.stage, result.signature
