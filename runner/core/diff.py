"""What changed between two runs: every cell of either, counted, and grouped by failure group.

What fails as a known failure says is counted with its change, but told apart and no loss. So is
what was executed again and came to something that the head did not bring.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from harness.cells import IN_ORDER, Cell
from runner.core.change import Change, compare, reason
from runner.core.confirm import UNCONFIRMED, Confirmation, Confirmed, apparent
from runner.core.known import Entry, Known, KnownCell, KnownFailure, Standing
from runner.core.numbers import NOTHING_MOVED, Numbers
from runner.core.owner import Owner, Siblings, group_owner
from runner.core.roots import MadeOf, roots
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.triage import Said

NO_MORE: Mapping[Verdict, int] = MappingProxyType({})
_STILL = {
    Verdict.PASS: Change.STILL_PASSING,
    Verdict.FAIL: Change.STILL_FAILING,
    Verdict.SKIP: Change.STILL_SKIPPED,
}
_LOSSES = (Change.REGRESSED, Change.NEWLY_SKIPPED, Change.REMOVED)


@dataclass(slots=True, unsafe_hash=True)  # not frozen, as `CellVerdict` is not
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
    #: of an apparent loss, what executing it again came to
    confirmation: Confirmation | None = None

    @property
    def excused(self) -> bool:
        """Whether it fails as a known failure says."""
        return self.known is not None and self.known.standing is Standing.AS_EXPECTED

    @property
    def set_aside(self) -> bool:
        """Whether executing it again told that the head did not bring it."""
        return self.confirmation is not None and self.confirmation.outcome.set_aside

    @property
    def elsewhere(self) -> bool:
        """Whether it stands in another section than its change's."""
        return self.excused or self.set_aside

    @property
    def loss(self) -> bool:
        """Whether something that worked is gone, or may be."""
        if not self.change.told or self.elsewhere:
            return False
        return self.change in _LOSSES or (self.worked and self._surely)

    @property
    def worked(self) -> bool:
        return self.before is not None and self.before.verdict is Verdict.PASS

    @property
    def _surely(self) -> bool:
        """A death that comes each time, and never at the baseline, is trusted."""
        new = self.confirmation is not None and self.confirmation.outcome.trusted
        return self.change is Change.UNKNOWN or (self.change is Change.SUSPECT and new)

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
    #: the cells of either side, in order; all but what came to the same, if that was only counted
    cells: tuple[CellChange, ...]
    #: the told changes that no known failure excuses, largest group first within each change
    groups: tuple[GroupChange, ...]
    #: why the baseline is the baseline, where nobody named it
    chosen: str | None = None
    #: the numbers that moved, where history was asked
    numbers: Numbers = NOTHING_MOVED
    #: the head judged by what is known to fail
    known: Known = field(default_factory=Known)
    #: entries that only the head's own skip lists have: they excuse nothing here
    added_skips: tuple[KnownFailure, ...] = ()
    #: what people said of the groups, by signature
    said: Mapping[str, Said] = field(default_factory=dict)

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
            item.change is Change.SUSPECT and item.worked and not item.elsewhere and not item.loss
            for item in self.cells
        )

    def excused(self, change: Change) -> int:
        """How many of a change's cells fail as a known failure says."""
        return sum(item.excused for item in self.cells if item.change is change)

    def muted(self, change: Change) -> int:
        """How many of a change's cells are in muted groups: they count like all others."""
        return sum(
            len(group.cells)
            for group in self.groups
            if group.change is change and self.is_muted(group.signature)
        )

    def is_muted(self, signature: str | None) -> bool:
        said = self.said.get(signature or "")
        return said is not None and said.muted

    def words(self, signature: str | None) -> str:
        """What people said of a group, in words; empty if they said nothing."""
        said = self.said.get(signature or "")
        return said.words if said else ""

    def set_aside(self, change: Change) -> int:
        """How many of a change's cells the head did not bring, as executing them again told."""
        return sum(item.set_aside for item in self.cells if item.change is change)

    @property
    def confirmed(self) -> dict[Confirmed, list[CellChange]]:
        """The apparent losses by what executing them again came to; all of them, excused or not."""
        found: dict[Confirmed, list[CellChange]] = {}
        for outcome in Confirmed:
            for item in self.cells:
                if item.confirmation and item.confirmation.outcome is outcome:
                    found.setdefault(outcome, []).append(item)
        return found

    @property
    def executed_again(self) -> list[tuple[Confirmed, list[CellChange]]]:
        """The same, without what was not executed again."""
        found = [
            (outcome, [item for item in cells if item.confirmation != UNCONFIRMED])
            for outcome, cells in self.confirmed.items()
        ]
        return [(outcome, cells) for outcome, cells in found if cells]

    @property
    def unconfirmed(self) -> list[CellChange]:
        """The apparent losses that were not executed again."""
        return [item for item in self.cells if item.confirmation == UNCONFIRMED]

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


def diff(  # noqa: PLR0913  (two sides of two, and what is known)
    baseline: Run,
    head: Run,
    before: Iterable[CellVerdict],
    after: Iterable[CellVerdict],
    *,
    known: Known | None = None,
    added_skips: Iterable[KnownFailure] = (),
    chosen: str | None = None,
    alike: Mapping[Verdict, int] = NO_MORE,
) -> Diff:
    """Compare the cells of two runs; `known` is the head, judged.

    `alike` counts cells that are not given, as they came to the same in both, by what that is.
    """
    known = known or Known()
    old = {found.cell: found for found in before}
    new = {found.cell: found for found in after}
    cells = tuple(
        _change(cell, old.get(cell), new.get(cell), known.cells.get(cell))
        # Both are in order already, which a set would lose; keys compare faster than cells.
        for cell in sorted(old | new, key=IN_ORDER)
    )
    counts = Counter(item.change for item in cells)
    for verdict, more in alike.items():
        counts[_STILL[verdict]] += more
    return Diff(
        baseline=baseline,
        head=head,
        counts={change: counts[change] for change in Change if counts[change]},
        cells=cells,
        groups=tuple(_grouped(cells)),
        known=known,
        added_skips=tuple(added_skips),
        chosen=chosen,
    )


def _change(
    cell: Cell, before: CellVerdict | None, after: CellVerdict | None, known: KnownCell | None
) -> CellChange:
    change = compare(before, after)
    if not change.told:  # nearly all: no reason, and nothing apparent
        return CellChange(cell, change, before, after, None, known)
    found = CellChange(cell, change, before, after, reason(change, before, after), known)
    asks = not found.excused and apparent(before, after, change)
    return replace(found, confirmation=UNCONFIRMED) if asks else found


def confirmed(found: Diff, by_cell: Mapping[Cell, Confirmation]) -> Diff:
    """The same diff with what executing its apparent losses again came to."""
    cells = tuple(
        replace(item, confirmation=by_cell.get(item.cell, UNCONFIRMED))
        if item.confirmation
        else item
        for item in found.cells
    )
    return replace(found, cells=cells, groups=tuple(_grouped(cells)))


def _grouped(cells: Iterable[CellChange]) -> Iterator[GroupChange]:
    groups: dict[tuple[Change, str | None], list[CellChange]] = {}
    for item in cells:
        if item.change.told and not item.elsewhere:
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
