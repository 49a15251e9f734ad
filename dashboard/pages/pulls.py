"""`/pr/{number}?sha=`: what a pull request was told, with all that its comment leaves out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from dashboard.rendering import render
from harness.cells import Cell
from runner.core.diff import CellChange
from runner.core.pull.check import as_json
from runner.core.pull.comment import reproduce
from runner.core.pull.report import Commits, Report, State
from runner.core.pull.sections import Group, Section
from runner.core.runs import Run, Verdict
from runner.core.summary import summary_line
from runner.core.triage import Said
from runner.steps.pulled import stored_report
from runner.store import reads
from runner.store.engine import Engine
from runner.store.pulls import PullRuns, pull_runs, pushes

#: of a pull request, as far as any database counts
Number = Annotated[int, Path(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A cell that changed, ready to show."""

    cell: Cell
    #: None where that side has no such cell
    before: Verdict | None
    after: Verdict | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedGroup:
    """Cells that changed alike and fail alike."""

    signature: str | None
    title: str | None
    owner: str | None
    #: what people said of it
    said: Said | None
    reproduce: str | None
    cells: tuple[Changed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedSection:
    """One class of changes, counted."""

    name: str
    title: str
    count: int
    #: a reader has to look at it
    open: bool
    #: how many of its cells are in muted groups
    muted: int
    groups: tuple[ChangedGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What was run for a commit of the pull request."""

    head: str
    #: whether it is the one that is shown
    shown: bool
    noted_at: datetime | None
    run: int | None
    #: in pytest's words
    summary: str
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullPage:
    """A pull request at one of its commits."""

    repository: str
    number: int
    state: State
    headline: str
    lacking: str
    unconfirmed: int
    #: whether results are still to come
    running: bool
    scope: str
    commits: Commits
    #: numbers of the runs of base and head
    runs: tuple[int | None, int | None]
    error_rate: str | None
    sections: tuple[ChangedSection, ...]
    #: newest first
    pushes: tuple[Push, ...]


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/pr/{number}.json")
    def pull_json(number: Number, sha: str = "") -> dict[str, Any]:
        found = pull_runs(engine, number, sha)
        return as_json(stored_report(engine, found)) | {"pushes": _pushes(engine, found)}

    @router.get("/pr/{number}", include_in_schema=False)
    def pull_html(request: Request, number: Number, sha: str = "") -> Response:
        page = pull_page(engine, number, sha)
        return render(request, "pull.html", page, title=f"{page.repository}#{number}")

    return router


def pull_page(engine: Engine, number: int, sha: str) -> PullPage:
    found = pull_runs(engine, number, sha)
    told = stored_report(engine, found)
    before, after = (_run(engine, name) for name in (found.baseline_run, found.head_run))
    return PullPage(
        repository=found.repository,
        number=number,
        state=told.state,
        headline=told.headline,
        lacking=told.lacking,
        unconfirmed=told.unconfirmed,
        running=any(run is not None and run.closed_at is None for run in (before, after)),
        scope=found.scope,
        commits=found.commits,
        runs=(before.id if before else None, after.id if after else None),
        error_rate=told.facts.error_rate,
        sections=tuple(_section(each, told) for each in told.sections),
        pushes=_pushes(engine, found),
    )


def _pushes(engine: Engine, shown: PullRuns) -> tuple[Push, ...]:
    """All pushes of the pull request, newest first."""
    known = pushes(engine, shown.repository, shown.number)
    return tuple(_push(engine, each, shown) for each in known)


def _run(engine: Engine, uid: str | None) -> Run | None:
    return reads.run(engine, uid) if uid else None


def _push(engine: Engine, each: PullRuns, shown: PullRuns) -> Push:
    run = _run(engine, each.head_run)
    return Push(
        head=each.commits.head,
        shown=each.commits.head == shown.commits.head,
        noted_at=each.noted_at,
        run=run.id if run else None,
        summary=summary_line(run.verdicts, run.duration_s) if run else "nothing to run",
        complete=run is None or run.complete,
    )


def _section(each: Section, told: Report) -> ChangedSection:
    groups = tuple(_group(group, told, fails=each.fails) for group in each.groups)
    return ChangedSection(
        name=each.name,
        title=each.title,
        count=each.count,
        open=each.open,
        muted=each.muted,
        groups=groups,
    )


def _group(each: Group, told: Report, *, fails: bool) -> ChangedGroup:
    return ChangedGroup(
        signature=each.signature,
        title=each.title,
        owner=each.owner.evidence if each.owner else None,
        said=each.said,
        reproduce=reproduce(each, told.facts) if fails else None,
        cells=tuple(
            Changed(
                cell=item.cell,
                before=item.before.verdict if item.before else None,
                after=item.after.verdict if item.after else None,
                why=_why(item),
            )
            for item in each.cells
        ),
    )


def _why(item: CellChange) -> str:
    told = item.confirmation.why if item.confirmation else None
    return "; ".join(filter(None, [item.reason, told]))
