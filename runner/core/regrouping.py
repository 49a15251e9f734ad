"""Groups that people merged or split: who signed alike may have several causes, and vice versa.

A rule says: the cells of one group, all of them or those that a SELECT means, are told as another
group. Without a SELECT that is a merge; with one, a split. Results keep the signature that they
have, so that each rule can be taken back, and so that what compares signatures is not misled.

- A group's rules with a SELECT come first, the oldest first; then the one without.
- Rules are followed on: what is merged into a group that is merged itself is told as the last one.
- A split speaks of cells alone, for what a cell comes to differs from run to run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.cells import Cell
from harness.errors import TriageError
from runner.core.query.nodes import Facts, Plain, Query
from runner.core.query.reader import parse
from runner.core.runs import CellVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The cells of `group` that the query means are told as `into`; without one, all of them."""

    group: str
    into: str
    cells: Query | None = None


@dataclass(frozen=True, slots=True)
class Regrouping:
    """All rules, in order."""

    rules: tuple[Rule, ...] = ()
    _by_group: Mapping[str, Sequence[Rule]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_group: dict[str, list[Rule]] = {}
        for rule in sorted(self.rules, key=lambda rule: rule.cells is None):
            by_group.setdefault(rule.group, []).append(rule)
        object.__setattr__(self, "_by_group", by_group)

    @property
    def told_as(self) -> tuple[tuple[str, str, str | None], ...]:
        """The rules as they were written."""
        return tuple(
            (rule.group, rule.into, rule.cells.text if rule.cells else None) for rule in self.rules
        )

    def of(self, signature: str, cell: Cell) -> str:
        """The group that a cell is told as, whose failure is signed like that."""
        seen = {signature}
        while rule := self._rule(signature, cell):
            signature = rule.into
            if signature in seen:
                break
            seen.add(signature)
        return signature

    def _rule(self, signature: str, cell: Cell) -> Rule | None:
        return next(
            (
                rule
                for rule in self._by_group.get(signature, ())
                if rule.cells is None or rule.cells.node.holds(Facts(cell=cell))
            ),
            None,
        )

    def whole(self, signature: str) -> str:
        """The group that one is merged into; itself, if it is in none."""
        seen = {signature}
        while merged := [
            rule.into for rule in self._by_group.get(signature, ()) if rule.cells is None
        ]:
            if merged[0] in seen:
                break
            signature = merged[0]
            seen.add(signature)
        return signature

    def sources(self, signature: str) -> list[str]:
        """The groups some of whose cells may be told as that one, itself first."""
        found = [signature]
        for each in found:
            found += [
                rule.group for rule in self.rules if rule.into == each and rule.group not in found
            ]
        return found

    def divided(self, signatures: Iterable[str]) -> bool:
        """Whether of any of these only some cells are told as another group."""
        return any(
            rule.cells is not None
            for signature in signatures
            for rule in self._by_group.get(signature, ())
        )

    def told(self, found: CellVerdict) -> CellVerdict:
        """The verdict, with the group that it is told as."""
        if not self.rules or found.signature is None:
            return found
        signature = self.of(found.signature, found.cell)
        return found if signature == found.signature else replace(found, signature=signature)


NO_RULES = Regrouping()


def of_cells(text: str) -> Query:
    """A SELECT that speaks of cells alone; `TriageError` if it asks more."""
    query = parse(text)
    plain = all(
        isinstance(leaf, Plain) and not leaf.selection.asks_results for leaf in query.leaves
    )
    if not plain:
        raise TriageError(f"{text!r}: a group is split by cells alone, not by what they came to")
    return query


def check_merge(known: Regrouping, group: str, into: str) -> None:
    """`TriageError` if a group can't be merged into that one."""
    if group == into:
        raise TriageError(f"{group} can't be merged into itself")
    if group in _behind(known, into):
        raise TriageError(f"{into} is part of {group} already; split it first")


def _behind(known: Regrouping, signature: str) -> list[str]:
    """The groups that some of a group's cells are told as."""
    found = [signature]
    for each in found:
        found += [
            rule.into for rule in known.rules if rule.group == each and rule.into not in found
        ]
    return found
