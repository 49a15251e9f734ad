"""Explains what failed in a stored run: whose it is, what it stems from, what a fix unlocks."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from harness.cells import Cell
from runner.core.change import Change
from runner.core.diff import Diff, explained
from runner.core.owner import Owner, Siblings, group_owner, owner
from runner.core.roots import Cause, causes
from runner.core.runs import CellVerdict, FailureGroup, Run
from runner.core.unlock import NO_DRAFTS, Drafts, Unlock, order, unlocked, waiting
from runner.store import history
from runner.store.engine import Engine
from runner.store.fingerprints import remembered
from runner.store.kept import kept_of
from runner.store.regrouping import groups as told_groups
from runner.store.regrouping import regrouping

_STEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupExplained:
    """A failure group in a run: its owner, its causes, and what fixing it turns green."""

    owner: Owner
    causes: tuple[Cause, ...]
    #: cells that wait for this group alone; the others wait for what stands behind it as well
    unlocks: int


def explain_cell(engine: Engine, run: Run, failed: CellVerdict) -> Owner:
    """Whose a cell's failure is."""
    siblings = history.kin(engine, run, [failed.cell])
    return owner(failed, [each for cells in siblings.values() for each in cells.values()])


def explain_group(engine: Engine, run: Run, failed: Sequence[CellVerdict]) -> GroupExplained:
    """The cells of one group in a run, at least one."""
    cells = [each.cell for each in failed]
    siblings = _kin(engine, run, cells)
    made_of = {each.cell: each.made_of for each in remembered(engine, cells)}
    return GroupExplained(
        owner=group_owner(failed, siblings),
        causes=tuple(causes(failed, made_of)),
        unlocks=sum(unlocked(waiting(failed, siblings)).values()),
    )


def explain_groups(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict], drafts: Drafts = NO_DRAFTS
) -> tuple[list[FailureGroup], list[Unlock]]:
    """All groups of a run with their owners, and which to fix first; `verdicts` are all its cells.

    Of a run that has ended, what was explained may be kept (`store.kept`).
    """
    rules, kept = regrouping(engine), kept_of(engine)
    if kept is None or run.closed_at is None or drafts:
        return _explained(engine, run, verdicts, drafts)
    key = ("explained", run.id, run.closed_at, rules.told_as)
    return kept.read(key, lambda: _explained(engine, run, verdicts, drafts))


def _explained(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict], drafts: Drafts
) -> tuple[list[FailureGroup], list[Unlock]]:
    rules = regrouping(engine)
    verdicts = [rules.told(each) for each in verdicts]
    failed = [each for each in verdicts if each.signature]
    siblings = _kin(engine, run, [each.cell for each in failed], own=verdicts)
    waits = waiting(failed, siblings, drafts)
    alone = unlocked(waits)
    by_group: dict[str | None, list[CellVerdict]] = defaultdict(list)
    for each in failed:
        by_group[each.signature].append(each)
    groups = []
    for group in told_groups(engine, run.id):
        whose = group_owner(by_group[group.signature], siblings)
        turned = alone.get(group.signature, 0)
        groups.append(replace(group, owner=whose.name, evidence=whose.evidence, unlocks=turned))
    titles = {each.signature: each.title for draft in drafts.values() for each in draft.failures}
    titles |= {group.signature: group.title for group in groups}
    return groups, order(waits, titles, limit=_STEPS)


def _kin(
    engine: Engine,
    run: Run,
    failed: Collection[Cell],
    *,
    own: Sequence[CellVerdict] | None = None,
) -> Siblings:
    """The cells of the same model classes, each with the group that it is told as."""
    rules = regrouping(engine)
    found = history.kin(engine, run, failed, own=own)
    if not rules.rules:
        return found
    return {
        of: {cell: rules.told(each) for cell, each in cells.items()} for of, cells in found.items()
    }


def explain_diff(engine: Engine, found: Diff) -> Diff:
    """The diff with the owners of its groups, and what depends on what."""
    fixed, failing = (
        [
            item.cell
            for group in found.groups
            if group.signature and (group.change is Change.FIXED) is side
            for item in group.cells
        ]
        for side in (True, False)
    )
    return explained(
        found,
        before=_kin(engine, found.baseline, fixed),
        after=_kin(engine, found.head, failing),
        made_of={each.cell: each.made_of for each in remembered(engine, [*fixed, *failing])},
    )
