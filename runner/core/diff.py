"""What changed between two runs: every cell of either, counted, and grouped by failure group.

What fails as a known failure says is counted with its change, but told apart and no loss.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.cells import Cell
from runner.core.change import Change, compare, reason
from runner.core.known import Entry, Known, KnownCell, KnownFailure, Standing
from runner.core.owner import Owner, Siblings, group_owner
from runner.core.roots import MadeOf, roots
from runner.core.runs import CellVerdict, Run, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CellChange:
    """What became of one cell, with both sides."""

    cell: Cell
    change: Change
    before: CellVerdict | None
    after: CellVerdict | None
    reason: str | None = None
    #: how the head stands with the known failure that means the cell
    known: KnownCell | None = None
    #: the cell whose failure this one's stems from, as it contains that one's model
    root: Cell | None = None

    @property
    def excused(self) -> bool:
        """Whether it fails as a known failure says."""
        return self.known is not None and self.known.standing is Standing.AS_EXPECTED

    @property
    def loss(self) -> bool:
        """Whether something that worked is gone, or may be."""
        worked = self.before is not None and self.before.verdict is Verdict.PASS
        losses = (Change.REGRESSED, Change.NEWLY_SKIPPED, Change.REMOVED)
        if self.excused:
            return False
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
    #: whose the failure is; None where nothing failed, or nobody was asked
    owner: Owner | None = None

    @property
    def causes(self) -> list[tuple[CellChange, list[CellChange]]]:
        """The cells that no other one explains, each with those that depend on it."""
        under: dict[Cell | None, list[CellChange]] = {}
        for item in self.cells:
            under.setdefault(item.root, []).append(item)
        return [(item, under.get(item.cell, [])) for item in under.get(None, [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """Everything that changed between two runs."""

    baseline: Run
    head: Run
    counts: Mapping[Change, int]
    #: all cells of either side, in order
    cells: tuple[CellChange, ...]
    #: the told changes that no known failure excuses, largest group first within each change
    groups: tuple[GroupChange, ...]
    #: the head judged by what is known to fail
    known: Known = field(default_factory=Known)
    #: entries that only the head's own skip lists have: they excuse nothing here
    added_skips: tuple[KnownFailure, ...] = ()

    @property
    def complete(self) -> bool:
        """Both runs have all their results; else what is missing is `unknown`."""
        return self.baseline.complete and self.head.complete

    @property
    def trusted(self) -> bool:
        """Whether the absence of a change means anything."""
        return self.complete and not (self.baseline.doubtful or self.head.doubtful)

    @property
    def losses(self) -> int:
        return sum(change.loss for change in self.cells)

    @property
    def doubts(self) -> int:
        """Cells that passed and now end in a way that is not trusted."""
        return sum(
            item.change is Change.SUSPECT
            and not item.excused
            and item.before is not None
            and item.before.verdict is Verdict.PASS
            for item in self.cells
        )

    def excused(self, change: Change) -> int:
        """How many of a change's cells fail as a known failure says."""
        return sum(item.excused for item in self.cells if item.change is change)

    def changed(self, standing: Standing) -> list[tuple[Entry, list[CellChange]]]:
        """The entries with cells of that standing whose change is told, and those cells."""
        cells: dict[KnownFailure, list[CellChange]] = {}
        for item in self.cells:
            if item.change.told and item.known and item.known.standing is standing:
                cells.setdefault(item.known.row, []).append(item)
        return [(entry, cells[entry.row]) for entry in self.known.entries if entry.row in cells]

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
            "known": {
                "counts": self.known.counts,
                "excused": {change: n for change in Change if (n := self.excused(change))},
                "entries": [entry.to_json() for entry in self.known.entries],
                "added_skips": [
                    {"place": row.place, "cells": row.cells, "reason": row.reason}
                    for row in self.added_skips
                ],
            },
            "groups": [
                {
                    "change": group.change,
                    "signature": group.signature,
                    "title": group.title,
                    "owner": group.owner and group.owner.name,
                    "evidence": group.owner and group.owner.evidence,
                    "cells": [item.cell.id for item in group.cells],
                    "causes": [
                        {"root": item.cell.id, "dependants": [each.cell.id for each in others]}
                        for item, others in group.causes
                    ],
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
                    "known": _known(item.known),
                    "root": item.root and item.root.id,
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


def _known(found: KnownCell | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"standing": found.standing, "place": found.row.place, "why": found.why}


def diff(  # noqa: PLR0913  (two sides of two, and what is known)
    baseline: Run,
    head: Run,
    before: Iterable[CellVerdict],
    after: Iterable[CellVerdict],
    *,
    known: Known | None = None,
    added_skips: Iterable[KnownFailure] = (),
) -> Diff:
    """Compare all cells of two runs; `known` is the head, judged."""
    known = known or Known()
    old = {found.cell: found for found in before}
    new = {found.cell: found for found in after}
    cells = tuple(
        _change(cell, old.get(cell), new.get(cell), known.cells.get(cell))
        for cell in sorted({*old, *new})
    )
    counts = Counter(item.change for item in cells)
    return Diff(
        baseline=baseline,
        head=head,
        counts={change: counts[change] for change in Change if counts[change]},
        cells=cells,
        groups=tuple(_grouped(item for item in cells if not item.excused)),
        known=known,
        added_skips=tuple(added_skips),
    )


def _change(
    cell: Cell, before: CellVerdict | None, after: CellVerdict | None, known: KnownCell | None
) -> CellChange:
    change = compare(before, after)
    why = reason(change, before, after)
    return CellChange(cell=cell, change=change, before=before, after=after, reason=why, known=known)


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


def explained(found: Diff, *, before: Siblings, after: Siblings, made_of: MadeOf) -> Diff:
    """The same diff with the owner of each group, and what depends on what within it.

    `before` and `after` are the cells of each side by model class; a fix is explained by the first.
    """
    groups = []
    for group in found.groups:
        failed = [item.group for item in group.cells if item.group and item.group.signature]
        siblings = before if group.change is Change.FIXED else after
        under = roots(failed, made_of)
        cells = tuple(replace(item, root=under.get(item.cell)) for item in group.cells)
        whose = group_owner(failed, siblings) if failed else None
        groups.append(replace(group, cells=cells, owner=whose))
    told = {item.cell: item for group in groups for item in group.cells}
    cells = tuple(told.get(item.cell, item) for item in found.cells)
    return replace(found, groups=tuple(groups), cells=cells)
