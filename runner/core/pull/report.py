"""What a pull request is told: one object, of which comment, check run and JSON are renderings.

Its state, by the first that holds:

1. `pending`     the runs have not ended;
2. `nothing`     they have, and the head has no result: jobs were skipped or cancelled;
3. `regressed`   something that worked is gone, or may be;
4. `incomplete`  results are missing, in doubt or not to be trusted: never told as clean;
5. `clean`       everything was run, on both sides, and nothing is lost.

Every change that is told has its section, with its count, whatever the state.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runner.core.change import Change
from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.owner import Owner
from runner.core.runs import Verdict


class State(StrEnum):
    """How a pull request stands."""

    PENDING = "pending"
    NOTHING = "nothing"
    REGRESSED = "regressed"
    INCOMPLETE = "incomplete"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """What was run, in full ids."""

    #: what is under test: the merge of the branch into its base
    run: str
    #: the branch's last commit
    head: str
    #: the commit of the base branch that it is compared with
    base: str
    base_branch: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known beside the results."""

    number: int
    commits: Commits
    #: address of the dashboard, without a slash at its end; None if nobody can reach one
    dashboard: str | None = None
    #: address of the job that ran the shards
    workflow: str | None = None
    #: what the runs are of, and what was left out
    scope: str = ""
    #: cells that are to be run, while there is no result
    planned: int = 0
    #: how often the detector was wrong when it was last measured
    error_rate: str | None = None

    @property
    def page(self) -> str | None:
        if self.dashboard is None:
            return None
        return f"{self.dashboard}/pr/{self.number}?sha={self.commits.head}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that changed alike and fail alike."""

    signature: str | None = None
    title: str | None = None
    owner: Owner | None = None
    cells: tuple[CellChange, ...]

    @property
    def by_model(self) -> dict[str, list[CellChange]]:
        models: dict[str, list[CellChange]] = {}
        for item in self.cells:
            models.setdefault(item.cell.model_type, []).append(item)
        return models


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One class of changes, counted."""

    #: what scripts know it by
    name: str
    #: in words, after the count
    title: str
    count: int
    groups: tuple[Group, ...] = ()
    #: a reader has to look at it
    open: bool = False
    #: what its cells failed with can be reproduced
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a pull request is told."""

    state: State
    facts: Facts
    headline: str
    #: why it is not complete, if it is not
    lacking: str = ""
    sections: tuple[Section, ...] = ()
    stack: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    #: apparent losses that were not executed again on both sides
    unconfirmed: int = 0
    #: how many exports were compared
    compared: int = 0


#: change -> title, whether a reader has to look at it, whether there is a failure to reproduce
_SECTIONS = {
    Change.REGRESSED: ("new failed exports from this PR", True, True),
    Change.NEWLY_SKIPPED: ("newly skipped", True, False),
    Change.REMOVED: ("removed", True, False),
    Change.UNKNOWN: ("unknown", True, False),
    Change.SUSPECT: ("suspect: timeout, oom, crash or flaky", True, True),
    Change.FAILS_DIFFERENTLY: ("different error", False, True),
    Change.FIXED: ("fixed", False, False),
    Change.UNSKIPPED: ("no longer skipped", False, False),
    Change.ADDED: ("added", False, False),
}
_NOT_RUN = "not run: no result of this PR"


def pending(facts: Facts) -> Report:
    """While the runs go on."""
    planned = f"{facts.planned:,} exports are" if facts.planned else "Exports are about to be"
    return Report(
        state=State.PENDING, facts=facts, headline=f"⏳ {planned} run; this comment will tell"
    )


def nothing(facts: Facts) -> Report:
    """The runs have ended without a result."""
    told = "⚠️ No export reported (jobs are skipped or cancelled)!"
    return Report(state=State.NOTHING, facts=facts, headline=told)


def untouched(facts: Facts) -> Report:
    """Nothing that the change can affect: there is nothing to run."""
    return Report(
        state=State.CLEAN, facts=facts, headline="✅ No export can be affected by this PR's changes"
    )


def report(found: Diff, facts: Facts) -> Report:
    """What the diff of a pull request's runs comes to."""
    if not found.head.received:
        return nothing(facts)
    state = _state(found)
    return Report(
        state=state,
        facts=facts,
        headline=_headline(found, state),
        lacking=_lacking(found),
        sections=tuple(_sections(found)),
        stack=found.stack_changes,
        unconfirmed=sum(item.loss for item in found.unconfirmed),
        compared=len(found.cells),
    )


def _state(found: Diff) -> State:
    if found.losses:
        return State.REGRESSED
    if not _trusted(found) or found.doubts:
        return State.INCOMPLETE
    return State.CLEAN


def _trusted(found: Diff) -> bool:
    """A base that lacks all models that were asked for has nothing to be complete in."""
    return found.trusted or (found.head.complete and _new(found) and not found.head.doubtful)


def _new(found: Diff) -> bool:
    return found.baseline.expected == 0 and found.baseline.closed_at is not None


def _headline(found: Diff, state: State) -> str:
    failed = sum(item.loss for item in found.cells if _failed(item))
    if failed:
        return f"❌ {failed} new failed {_exports(failed)} from this PR"
    match state:
        case State.REGRESSED:
            return f"❌ No new failed export, but {found.losses} {_exports(found.losses)} lost"
        case State.INCOMPLETE:
            return "⚠️ Incomplete: nothing is lost among the results that can be trusted"
        case _:
            return "✅ No failing export specific to this PR 🎉"


def _failed(item: CellChange) -> bool:
    return item.change in (Change.REGRESSED, Change.SUSPECT)


def _exports(count: int) -> str:
    return "export" if count == 1 else "exports"


def _lacking(found: Diff) -> str:
    """What is not to be relied on, in a sentence each."""
    told = []
    for name, run in (("main", found.baseline), ("this PR", found.head)):
        if run is found.baseline and _new(found):
            continue
        if not run.filled:
            told.append(f"{run.received} of {run.expected} exports of {name} have a result")
        elif not run.complete:
            told.append(f"suspects of {name} are still to be retried")
        if run.doubtful:
            told.append(f"the canary of {name} differs from its results")
    if found.doubts:
        told.append(f"{found.doubts} that passed now end in a way that is not trusted")
    return "; ".join(told)


def _sections(found: Diff) -> Iterator[Section]:
    for change, (title, opened, fails) in _SECTIONS.items():
        yield from _section(
            Section(name=change, title=title, count=0, open=opened, fails=fails),
            _groups(found, change),
        )
        if change is Change.UNKNOWN:
            unheard = Section(name="not-run", title=_NOT_RUN, count=0, open=True)
            yield from _section(unheard, _in_one(found, _not_run))
    for name, title, holds in _APART:
        aside = Section(name=name, title=title, count=0, fails=name != "known")
        yield from _section(aside, _alike(item for item in found.cells if holds(item)))


def _section(empty: Section, groups: Iterable[Group]) -> Iterator[Section]:
    """The section of these groups, if there are any."""
    made = tuple(groups)
    if made:
        yield replace(empty, groups=made, count=sum(len(group.cells) for group in made))


def _groups(found: Diff, change: Change) -> Iterator[Group]:
    for each in found.groups:
        cells = tuple(item for item in each.cells if not _not_run(item) and not _is_flaky(item))
        if each.change is change and cells:
            yield Group(signature=each.signature, title=each.title, owner=each.owner, cells=cells)


def _in_one(found: Diff, holds: Callable[[CellChange], bool]) -> Iterator[Group]:
    cells = tuple(filter(holds, found.cells))
    if cells:
        yield Group(cells=cells)


def _alike(cells: Iterable[CellChange]) -> list[Group]:
    """Cells by what they fail with, or by the known failure that excuses them."""
    groups: dict[tuple[str | None, str | None], list[CellChange]] = {}
    for item in cells:
        groups.setdefault(_cause(item), []).append(item)
    made = [
        Group(signature=signature, title=title, cells=tuple(members))
        for (signature, title), members in groups.items()
    ]
    return sorted(made, key=lambda group: -len(group.cells))


def _cause(item: CellChange) -> tuple[str | None, str | None]:
    """Signature and title; the reason of the known failure that excuses it."""
    if item.excused and item.known:
        return None, item.known.row.reason
    return (item.group.signature, item.group.title) if item.group else (None, None)


def _not_run(item: CellChange) -> bool:
    """Whether the head lacks its result."""
    return item.after is not None and item.after.verdict is Verdict.MISSING


def _came_to(item: CellChange, outcome: Confirmed) -> bool:
    return item.confirmation is not None and item.confirmation.outcome is outcome


def _is_flaky(item: CellChange) -> bool:
    """By itself, or when it was executed again."""
    sides = (item.before, item.after)
    itself = item.change is Change.SUSPECT and any(
        side is not None and side.verdict is Verdict.FLAKY for side in sides
    )
    return not item.excused and (_came_to(item, Confirmed.FLAKY) or itself)


def _broken_too(item: CellChange) -> bool:
    """Fails on both sides in the same way, and nobody said that it would."""
    again = _came_to(item, Confirmed.BROKEN_ON_BASELINE_TOO)
    return not item.excused and (item.change is Change.STILL_FAILING or again)


#: sections of what the pull request didn't bring: name, title, and what belongs there
_APART: tuple[tuple[str, str, Callable[[CellChange], bool]], ...] = (
    ("flaky", "flaky", _is_flaky),
    ("broken-on-main-too", "broken on main too", _broken_too),
    (
        "stack-changed",
        "changed with the versions of other packages",
        lambda item: not item.excused and _came_to(item, Confirmed.STACK_CHANGED),
    ),
    (
        "known",
        "known failures, as expected",
        lambda item: item.change.told and item.excused,
    ),
)
