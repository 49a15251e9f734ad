"""What changed between two runs: every cell of either, counted, and grouped by failure group."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.cells import Cell
from runner.core.change import Change, compare, reason
from runner.core.runs import CellVerdict, Run, Verdict


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
    def doubts(self) -> int:
        """Cells that passed and now end in a way that is not trusted."""
        return sum(
            item.change is Change.SUSPECT
            and item.before is not None
            and item.before.verdict is Verdict.PASS
            for item in self.cells
        )

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
