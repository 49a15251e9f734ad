"""What became of a cell: one total table over both sides, `compare`.

- Losses are `regressed`, `newly-skipped`, `removed`, and `unknown` where the baseline passed.
- Failing at an earlier stage than before is a loss, at a later one progress (`fails-differently`).
- A death (timeout, oom, crash) and a flaky verdict are not trusted: `suspect`, never `regressed`.
- `error` is ours and says nothing of them; a missing result says nothing at all: both are
  `unknown`, with the reason. A baseline that lacks results never reads as "no regressions".
"""

from enum import Enum, StrEnum, auto

from runner.core.runs import CellVerdict, Verdict


class Change(StrEnum):
    """What became of a cell."""

    REGRESSED = "regressed"
    NEWLY_SKIPPED = "newly-skipped"
    REMOVED = "removed"
    SUSPECT = "suspect"
    UNKNOWN = "unknown"
    FAILS_DIFFERENTLY = "fails-differently"
    FIXED = "fixed"
    UNSKIPPED = "unskipped"
    ADDED = "added"
    STILL_FAILING = "still-failing"
    STILL_SKIPPED = "still-skipped"
    STILL_PASSING = "still-passing"

    @property
    def told(self) -> bool:
        """Whether a report lists the cells; the still-… ones are only counted."""
        return self not in _QUIET


_QUIET = frozenset({Change.STILL_FAILING, Change.STILL_SKIPPED, Change.STILL_PASSING})


class _Side(Enum):
    """What one side says, as far as the table asks."""

    ABSENT = auto()
    MISSING = auto()
    OURS = auto()
    SKIP = auto()
    DOUBTFUL = auto()
    LOSS = auto()
    PASS = auto()


_SIDES = {
    Verdict.MISSING: _Side.MISSING,
    Verdict.ERROR: _Side.OURS,
    Verdict.SKIP: _Side.SKIP,
    Verdict.PASS: _Side.PASS,
    Verdict.FAIL: _Side.LOSS,
    Verdict.FLAKY: _Side.DOUBTFUL,
    Verdict.CRASH: _Side.DOUBTFUL,
    Verdict.TIMEOUT: _Side.DOUBTFUL,
    Verdict.OOM: _Side.DOUBTFUL,
}


def _side(found: CellVerdict | None) -> _Side:
    return _Side.ABSENT if found is None else _SIDES[found.verdict]


def compare(before: CellVerdict | None, after: CellVerdict | None) -> Change:  # noqa: C901, PLR0911, PLR0912  (one row a line: the table is the point)
    """The change of one cell, total over both sides."""
    match _side(before), _side(after):
        case _, _Side.ABSENT:
            return Change.REMOVED
        case _Side.ABSENT, _:
            return Change.ADDED
        case (_Side.MISSING | _Side.OURS, _) | (_, _Side.MISSING | _Side.OURS):
            return Change.UNKNOWN
        case _Side.SKIP, _Side.SKIP:
            return Change.STILL_SKIPPED
        case _, _Side.SKIP:
            return Change.NEWLY_SKIPPED
        case _Side.SKIP, _:
            return Change.UNSKIPPED
        case _Side.DOUBTFUL, _Side.DOUBTFUL if _same(before, after):
            return Change.STILL_FAILING
        case (_Side.DOUBTFUL, _) | (_, _Side.DOUBTFUL):
            return Change.SUSPECT
        case _Side.PASS, _Side.PASS:
            return Change.STILL_PASSING
        case _Side.PASS, _:
            return Change.REGRESSED
        case _, _Side.PASS:
            return Change.FIXED
        case _:
            return _both_failed(before, after)


def _same(before: CellVerdict | None, after: CellVerdict | None) -> bool:
    """The same death twice is no news; flaky is never the same."""
    return (
        before is not None
        and after is not None
        and before.verdict is after.verdict is not Verdict.FLAKY
        and before.signature == after.signature
    )


def _both_failed(before: CellVerdict | None, after: CellVerdict | None) -> Change:
    how_far = moved(before, after)
    if how_far < 0:
        return Change.REGRESSED
    if how_far > 0 or not _same(before, after):
        return Change.FAILS_DIFFERENTLY
    return Change.STILL_FAILING


def moved(before: CellVerdict | None, after: CellVerdict | None) -> int:
    """How many stages further it came than before."""
    stages = [found.stage.order for found in (before, after) if found and found.stage]
    return stages[1] - stages[0] if len(stages) == 2 else 0


def reason(change: Change, before: CellVerdict | None, after: CellVerdict | None) -> str | None:
    """Why a change can't be told apart further, or how it failed differently."""
    if change is Change.UNKNOWN:
        sides = (("baseline", before), ("head", after))
        said = {name: why for name, found in sides if found and (why := _unsaid(found))}
        if len(said) == 2 and len({*said.values()}) == 1:
            said = {"both sides": said["head"]}
        return "; ".join(f"{name}: {why}" for name, why in said.items())
    how_far = moved(before, after)
    if change in (Change.REGRESSED, Change.FAILS_DIFFERENTLY) and how_far and before and after:
        return f"stops at {after.stage} instead of {before.stage}"
    if change is Change.NEWLY_SKIPPED and after:
        return after.reason
    return None


def _unsaid(found: CellVerdict) -> str | None:
    if found.verdict is Verdict.MISSING:
        return "no result"
    if found.verdict is Verdict.ERROR:
        return f"ours, {found.reason or found.title or 'no reason recorded'}"
    return None
