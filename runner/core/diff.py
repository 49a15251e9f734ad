"""What changed between two runs, cell by cell: one total table, `compare`.

- Losses are `regressed`, `newly-skipped`, `removed`, and `unknown` where the baseline passed.
- Failing at an earlier stage than before is a loss, at a later one progress (`fails-differently`).
- A death (timeout, oom, crash) and a flaky verdict are not trusted: `suspect`, never `regressed`.
- `error` is ours and says nothing of them; a missing result says nothing at all: both are
  `unknown`, with the reason. A baseline that lacks results never reads as "no regressions".
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any

from harness.cells import Cell
from runner.core.runs import CellVerdict, Run, Verdict


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
        return not self.value.startswith("still-")


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
    moved = _moved(before, after)
    if moved < 0:
        return Change.REGRESSED
    if moved > 0 or not _same(before, after):
        return Change.FAILS_DIFFERENTLY
    return Change.STILL_FAILING


def _moved(before: CellVerdict | None, after: CellVerdict | None) -> int:
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
    moved = _moved(before, after)
    if change in (Change.REGRESSED, Change.FAILS_DIFFERENTLY) and moved and before and after:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """What became of one cell, with both sides."""

    cell: Cell
    change: Change
    before: CellVerdict | None
    after: CellVerdict | None
    reason: str | None = None

    @property
    def loss(self) -> bool:
        """Whether something that worked is gone, or may be."""
        worked = self.before is not None and self.before.verdict is Verdict.PASS
        losses = (Change.REGRESSED, Change.NEWLY_SKIPPED, Change.REMOVED)
        return self.change in losses or (worked and self.change is Change.UNKNOWN)

    @property
    def group(self) -> CellVerdict | None:
        """The side whose failure the change is about: head's, or for a fix the baseline's."""
        return self.before if self.change is Change.FIXED else self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """The cells of one change that share a failure group (or have none)."""

    change: Change
    signature: str | None
    title: str | None
    cells: tuple[CellChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that changed between two runs."""

    baseline: Run
    head: Run
    counts: Mapping[Change, int]
    #: all cells of either side, in order
    cells: tuple[CellChange, ...]
    #: the told changes, largest group first within each change
    groups: tuple[GroupChange, ...]

    @property
    def complete(self) -> bool:
        """Both runs have all their results; else what is missing is `unknown`."""
        return self.baseline.complete and self.head.complete

    @property
    def losses(self) -> int:
        return sum(change.loss for change in self.cells)

    @property
    def stack_changes(self) -> dict[str, tuple[str | None, str | None]]:
        """package -> versions of both sides, where they differ."""
        before, after = self.baseline.stack, self.head.stack
        return {
            name: (before.get(name), after.get(name))
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        }

    def to_json(self) -> dict[str, Any]:
        """The contract of `diff --format json`."""
        return {
            "baseline": _run(self.baseline),
            "head": _run(self.head),
            "complete": self.complete,
            "counts": {change.value: count for change, count in self.counts.items()},
            "stack": self.stack_changes,
            "groups": [
                {
                    "change": group.change,
                    "signature": group.signature,
                    "title": group.title,
                    "cells": [item.cell.id for item in group.cells],
                }
                for group in self.groups
            ],
            "cells": [
                {
                    "cell": item.cell.id,
                    "change": item.change,
                    "reason": item.reason,
                    "before": _verdict(item.before),
                    "after": _verdict(item.after),
                }
                for item in self.cells
            ],
        }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "run": run.uid,
        "revision": run.revision,
        "expected": run.expected,
        "received": run.received,
    }


def _verdict(found: CellVerdict | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "verdict": found.verdict,
        "stage": found.stage,
        "kind": found.kind,
        "signature": found.signature,
        "title": found.title,
        "max_abs_diff": found.max_abs_diff,
    }


def diff(
    baseline: Run, head: Run, before: Iterable[CellVerdict], after: Iterable[CellVerdict]
) -> Diff:
    """Compare all cells of two runs."""
    old = {found.cell: found for found in before}
    new = {found.cell: found for found in after}
    cells = tuple(_change(cell, old.get(cell), new.get(cell)) for cell in sorted({*old, *new}))
    counts = Counter(item.change for item in cells)
    return Diff(
        baseline=baseline,
        head=head,
        counts={change: counts[change] for change in Change if counts[change]},
        cells=cells,
        groups=tuple(_grouped(cells)),
    )


def _change(cell: Cell, before: CellVerdict | None, after: CellVerdict | None) -> CellChange:
    change = compare(before, after)
    return CellChange(
        cell=cell, change=change, before=before, after=after, reason=reason(change, before, after)
    )


def _grouped(cells: Iterable[CellChange]) -> Iterator[GroupChange]:
    groups: dict[tuple[Change, str | None], list[CellChange]] = {}
    for item in cells:
        if item.change.told:
            signature = item.group.signature if item.group else None
            groups.setdefault((item.change, signature), []).append(item)
    order = list(Change)
    for (change, signature), members in sorted(
        groups.items(),
        key=lambda entry: (order.index(entry[0][0]), -len(entry[1]), str(entry[0][1])),
    ):
        told = members[0].group
        yield GroupChange(
            change=change,
            signature=signature,
            title=told.title if told else None,
            cells=tuple(members),
        )
