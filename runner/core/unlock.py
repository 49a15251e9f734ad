"""What would turn green if a failure group were fixed, and which group to fix first.

An attempt stops at its first error, so a cell tells one reason, its signature. What stands behind
it is told by its siblings: a later stage at which the same class fails on the same backend in
another variant, or the same case on dynamo. Fixing the first would then not be enough: the cell
waits for both. (A static cell never comes to `resize`, and a forward tells nothing of the graphs of
`generate`.) A cell without such a sibling counts as unlocked; so the score is an upper bound.

A draft export that went on behind the first error (`runner.core.drafts`) knows more: its failures
count as well, and if it came to the end, nothing else stands behind.

The order is greedy: always the group that turns most cells green, given those before it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.cells import Cell
from harness.results import Stage
from runner.core.drafts import Draft
from runner.core.owner import WITNESS, Siblings
from runner.core.runs import CellVerdict, Verdict

Drafts = Mapping[Cell, Draft]
NO_DRAFTS: Drafts = MappingProxyType({})
_FAILURES = (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock:
    """A step of the greedy order."""

    signature: str
    title: str
    #: cells that turn green if it is fixed after the ones before it
    cells: int
    #: and together with those
    total: int


def reasons(
    failed: CellVerdict, siblings: Iterable[CellVerdict], draft: Draft | None = None
) -> frozenset[str]:
    """The signatures that keep a cell from passing, as far as its kin and a draft tell."""
    own = {failed.signature} if failed.signature else set[str]()
    if draft is not None and draft.first == failed.signature:
        own |= draft.reasons
        if draft.stopped is None:
            return frozenset(own)
    return frozenset(
        own | {each.signature for each in siblings if each.signature and _behind(failed, each)}
    )


def _behind(failed: CellVerdict, other: CellVerdict) -> bool:
    """Whether `other` fails where `failed` would come next."""
    if not _fails(other) or other.stage is None or failed.stage is None:
        return False
    if other.stage.order <= failed.stage.order:
        return False
    same_graphs = other.cell.variant.generates is failed.cell.variant.generates
    same_backend = same_graphs and other.cell.backend == failed.cell.backend
    witness = other.cell.backend == WITNESS and other.cell.case == failed.cell.case
    reached = other.stage is not Stage.RESIZE or failed.cell.variant.dynamic
    return (same_backend or witness) and reached


def _fails(found: CellVerdict) -> bool:
    return found.verdict in _FAILURES


def waiting(
    failed: Iterable[CellVerdict], siblings: Siblings, drafts: Drafts = NO_DRAFTS
) -> list[frozenset[str]]:
    """What each of these cells waits for."""
    # Most of a class passes, and stands behind nothing; nor does what stops as early as the cell.
    failing = {of: tuple(filter(_fails, cells.values())) for of, cells in siblings.items()}
    furthest = {of: max(map(_stop, cells), default=-1) for of, cells in failing.items()}
    waits = []
    for each in failed:
        of = each.cell.model_type, each.cell.model_class
        others = failing[of] if furthest.get(of, -1) > _stop(each) else ()
        waits.append(reasons(each, others, drafts.get(each.cell)))
    return waits


def _stop(found: CellVerdict) -> int:
    """How far it came; -1, before all stages, if that is not known."""
    return found.stage.order if found.stage else -1


def unlocked(cells: Iterable[frozenset[str]]) -> dict[str, int]:
    """signature -> cells that wait for it alone."""
    return _alone(Counter(cells))


def _alone(counts: Mapping[frozenset[str], int]) -> dict[str, int]:
    return {next(iter(each)): count for each, count in counts.items() if len(each) == 1}


def order(
    cells: Iterable[frozenset[str]], titles: Mapping[str, str], *, limit: int
) -> list[Unlock]:
    """The groups to fix, in greedy order; ends where no single one turns a cell green."""
    left = Counter(cells)
    steps: list[Unlock] = []
    while len(steps) < limit and (gains := _alone(left)):
        best = min(gains, key=lambda each: (-gains[each], each))
        total = gains[best] + (steps[-1].total if steps else 0)
        told = titles.get(best, best)
        steps.append(Unlock(signature=best, title=told, cells=gains[best], total=total))
        left = _without(best, left)
    return steps


def _without(fixed: str, cells: Mapping[frozenset[str], int]) -> Counter[frozenset[str]]:
    """What is still waited for once a group is fixed."""
    left: Counter[frozenset[str]] = Counter()
    for each, count in cells.items():
        if rest := each - {fixed}:
            left[rest] += count
    return left
