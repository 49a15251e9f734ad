"""Which run a head is compared with where nobody says: by its merge base, and why.

1. Compared is with a run that is complete, meant at least as many cells, and is not of the head's
   own revision; one of the same selection comes before any other.
2. Of a commit: the newest run of its merge base with the main branch, else of the nearest ancestor
   of that, along first parents.
3. Else, or where nobody can ask git: the newest run before it, the "last complete nightly"; one of
   its own branch comes before any other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runner.core.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The run that a head is compared with, and why it is that one."""

    run: Run
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestry:
    """Where a commit comes from, as results call commits."""

    #: the main branch, as git calls it
    onto: str
    #: the merge base, then its ancestors along first parents
    names: Sequence[str]
    #: whether the commit is on the main branch itself: then the first name is the one before it
    itself: bool = False


def choose(head: Run, runs: Iterable[Run], ancestry: Ancestry | None) -> Baseline | None:
    """The baseline among these runs; None if there is none."""
    fit = [each for each in runs if _fits(each, head)]
    fit.sort(key=lambda each: (each.selection != head.selection, _elsewhere(each, head), -each.id))
    return (ancestry and _by_ancestry(head, fit, ancestry)) or _last(head, fit, ancestry)


def _fits(run: Run, head: Run) -> bool:
    other = run.id != head.id and run.revision != head.revision
    return other and run.complete and run.expected >= head.expected


def _elsewhere(run: Run, head: Run) -> bool:
    return run.branch != head.branch


def _by_ancestry(head: Run, fit: Sequence[Run], ancestry: Ancestry) -> Baseline | None:
    """The nearest of the same selection; only if none has that, the nearest of another."""
    far = {name: number for number, name in enumerate(ancestry.names)}
    found = [each for each in fit if each.revision in far]
    if not found:
        return None
    run = min(found, key=lambda each: (each.selection != head.selection, far[each.revision]))
    count = far[run.revision] + ancestry.itself
    commits = "commit" if count == 1 else "commits"
    base = f"it on {ancestry.onto}" if ancestry.itself else f"the merge base with {ancestry.onto}"
    where = f"{count} {commits} before {base}" if count else base
    return Baseline(run=run, why=f"run {run.id} at {run.revision}, {where}{_other(run, head)}")


def _last(head: Run, fit: Sequence[Run], ancestry: Ancestry | None) -> Baseline | None:
    run = next((each for each in fit if each.id < head.id), None)
    if run is None:
        return None
    lacking = f"; no run at its merge base with {ancestry.onto} or before it" if ancestry else ""
    same = " of this selection" if run.selection == head.selection else ""
    branch = f" on {head.branch}" if head.branch and not _elsewhere(run, head) else ""
    why = f"run {run.id} at {run.revision}, the last complete one{same}{branch} before it"
    return Baseline(run=run, why=f"{why}{lacking}{_other(run, head)}")


def _other(run: Run, head: Run) -> str:
    return "" if run.selection == head.selection else f"; it was asked for {run.selection!r}"
