"""What a pull request is told: one object, of which comment, check run and JSON are renderings.

Its state, by the first that holds:

1. `pending`     the runs have not ended;
2. `nothing`     they have, and the head has no result: jobs were skipped or cancelled;
3. `regressed`   something that worked is gone, or may be;
4. `incomplete`  results are missing, in doubt or not to be trusted: never told as clean;
5. `clean`       everything was run, on both sides, and nothing is lost.

Every change that is told has its section, with its count, whatever the state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runner.core.change import Change
from runner.core.diff import CellChange, Diff
from runner.core.pull.sections import Section, sections


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
    told = "✅ No export can be affected by this PR's changes"
    return Report(state=State.CLEAN, facts=replace(facts, scope=""), headline=told)


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
        sections=tuple(sections(found)),
        stack={name: each for name, each in found.stack_changes.items() if name != "transformers"},
        unconfirmed=sum(item.loss for item in found.unconfirmed),
        compared=sum(found.counts.values()),
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
