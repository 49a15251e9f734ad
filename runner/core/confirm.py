"""Whether an apparent loss is one: what executing its cell again came to, on head and on baseline.

Both sides are executed at least `ENOUGH` times, on the stack that is here. What it comes to is a
function of the two *sets* of executions, in this order:

1. executions of one side that pass and that don't: `flaky`, however few they are;
2. a side that was executed less often, or where it says nothing (lost, skipped): `unknown`;
3. head passes each time, though it failed in its run: `stack-changed` where the run had other
   versions, else `flaky`;
4. head never passes, and baseline does each time: `new`;
5. neither passes, and in some execution they failed alike: `stack-changed` where the baseline's run
   had other versions, for it told otherwise then; else `broken-on-baseline-too`;
6. neither passes, and they never failed alike: `fails-differently`; where one side's executions are
   all errors of ours, and the other's are not: `unknown`.

A side all of whose executions are errors of ours doesn't pass; beside anything else an error says
nothing. No label hides a cell: each is counted and listed under what it came to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from harness.results import Outcome, Result
from runner.core.change import Change, moved
from runner.core.runs import CellVerdict, Verdict
from runner.core.verdict import is_lost

#: executions on each side that tell something
ENOUGH = 3
#: executions that say nothing, after which a cell is given up
_VAIN = 3

#: package -> its versions in the run, and here
Moved = Mapping[str, tuple[str | None, str | None]]


class Confirmed(StrEnum):
    """What executing an apparent loss again came to."""

    NEW = "new"
    FAILS_DIFFERENTLY = "fails-differently"
    FLAKY = "flaky"
    BROKEN_ON_BASELINE_TOO = "broken-on-baseline-too"
    STACK_CHANGED = "stack-changed"
    UNKNOWN = "unknown"

    @property
    def set_aside(self) -> bool:
        """Whether it says that the head did not bring the loss."""
        return self in (self.FLAKY, self.BROKEN_ON_BASELINE_TOO, self.STACK_CHANGED)

    @property
    def trusted(self) -> bool:
        """Whether it says that the head did."""
        return self in (self.NEW, self.FAILS_DIFFERENTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side's executions of a cell, all on one stack."""

    executions: tuple[Result, ...] = ()
    #: where that stack is another than its run's
    moved: Moved = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a cell came to, why, and how often each side came out how."""

    outcome: Confirmed
    why: str
    #: outcome -> executions
    before: Mapping[Outcome, int] = field(default_factory=dict)
    after: Mapping[Outcome, int] = field(default_factory=dict)


UNCONFIRMED = Confirmation(outcome=Confirmed.UNKNOWN, why="not executed again")


class _Says(Enum):
    TOO_LITTLE = auto()
    MIXED = auto()
    PASSES = auto()
    FAILS = auto()
    ERRS = auto()


def apparent(before: CellVerdict | None, after: CellVerdict | None, change: Change) -> bool:
    """Whether a cell looks lost and executing it again can tell more.

    Not what is skipped or removed, which nothing executes; not what is missing, which a resume
    brings; not what fails at a later stage than before, which is no loss.
    """
    worked = before is not None and before.verdict is Verdict.PASS
    failed = before is not None and before.verdict is Verdict.FAIL
    match change:
        case Change.REGRESSED:
            return True
        case Change.FAILS_DIFFERENTLY:
            return moved(before, after) <= 0
        case Change.SUSPECT:
            return (worked or failed) and after is not None and after.verdict is not Verdict.PASS
        case Change.UNKNOWN:
            return worked and after is not None and after.verdict is Verdict.ERROR
        case _:
            return False


def lacking(executions: Iterable[Result], *, enough: int = ENOUGH) -> bool:
    """Whether a side is to be executed once more."""
    found = list(executions)
    return len(_speaking(found)) < enough and len(found) < enough + _VAIN


def confirm(before: Side, after: Side) -> Confirmation:
    """What an apparent loss comes to, total over both sides' sets of executions."""
    outcome, why = _decided(before, after)
    return Confirmation(
        outcome=outcome,
        why=why,
        before=_counted(before.executions),
        after=_counted(after.executions),
    )


def _decided(before: Side, after: Side) -> tuple[Confirmed, str]:  # noqa: C901, PLR0911, PLR0912  (the table is the point)
    says = _says(before.executions), _says(after.executions)
    both = f"baseline: {_told(before)}; head: {_told(after)}"
    match says:
        case (_Says.MIXED, _) | (_, _Says.MIXED):
            return Confirmed.FLAKY, both
        case (_Says.TOO_LITTLE, _) | (_, _Says.TOO_LITTLE):
            return Confirmed.UNKNOWN, f"executed too seldom: {both}"
        case _, _Says.PASSES:
            if after.moved:
                return Confirmed.STACK_CHANGED, f"head's run had {_versions(after.moved)}"
            return Confirmed.FLAKY, f"failed in its run; {both}"
        case _Says.PASSES, _:
            return Confirmed.NEW, both
        case (_Says.FAILS, _Says.FAILS) | (_Says.ERRS, _Says.ERRS) if _alike(before, after):
            if before.moved:
                return Confirmed.STACK_CHANGED, f"baseline's run had {_versions(before.moved)}"
            return Confirmed.BROKEN_ON_BASELINE_TOO, both
        case _Says.FAILS, _Says.FAILS:
            return Confirmed.FAILS_DIFFERENTLY, both
        case _:
            return Confirmed.UNKNOWN, f"an error of ours says nothing of them: {both}"


def _says(executions: Iterable[Result]) -> _Says:
    heard = _speaking(executions)
    passes = sum(each.outcome is Outcome.PASS for each in heard)
    if 0 < passes < len(heard):
        return _Says.MIXED
    if len(heard) < ENOUGH:
        return _Says.TOO_LITTLE
    if passes:
        return _Says.PASSES
    return _Says.ERRS if heard[0].outcome is Outcome.ERROR else _Says.FAILS


def _speaking(executions: Iterable[Result]) -> list[Result]:
    """Those that say something of their cell."""
    ran = [each for each in executions if each.outcome is not Outcome.SKIP and not is_lost(each)]
    theirs = [each for each in ran if each.outcome is not Outcome.ERROR]
    return theirs or ran


def _alike(before: Side, after: Side) -> bool:
    mine, theirs = (
        {_story(each) for each in _speaking(side.executions)} for side in (before, after)
    )
    return bool(mine & theirs)


def _story(result: Result) -> tuple[object, ...]:
    why = result.reason if result.outcome is Outcome.ERROR else result.signature
    return result.outcome, result.stage, why


def _counted(executions: Iterable[Result]) -> dict[Outcome, int]:
    found = [each.outcome for each in executions]
    return {outcome: found.count(outcome) for outcome in Outcome if outcome in found}


def _told(side: Side) -> str:
    counts = [f"{count} {outcome}" for outcome, count in _counted(side.executions).items()]
    return ", ".join(counts) or "not executed again"


def _versions(moved: Moved) -> str:
    """`torch 2.12.0 (here 2.13.0)`."""
    return ", ".join(
        f"{name} {run or 'none'} (here {here or 'none'})" for name, (run, here) in moved.items()
    )


def other_versions(run: Mapping[str, str], here: Mapping[str, str]) -> Moved:
    """Where two stacks differ, but for what a revision says."""
    names = sorted({*run, *here} - {"transformers"})
    return {
        name: (run.get(name), here.get(name)) for name in names if run.get(name) != here.get(name)
    }
