"""`/runs` and `/runs/{ref}`: which runs there are, and what came of one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dashboard.asking import Wrong, ask, asked_of, asks_more, largest
from dashboard.matrix import Matrix, few_classes, matrix
from dashboard.rendering import render
from dashboard.words import WORST_FIRST
from runner.core.known import Standing
from runner.core.progress import State, state_of, together
from runner.core.runs import Audit, Canary, CellVerdict, Progress, Run, Verdict
from runner.core.schedule import Schedule
from runner.core.summary import summary_line
from runner.steps.explaining import explain_groups
from runner.steps.knowing import known_of
from runner.steps.triaging import Triaged, with_triage
from runner.store import reads
from runner.store.engine import Engine
from runner.store.regrouping import regrouping

_RUNS_A_PAGE = 50
#: how many runs are looked at where none is named
RECENT = 30
_TOP = 8
#: model types, or classes, in the matrix of a run's page; `/matrix` has all
_ROWS = 100
_REFRESH_S = 5

#: a run's number, as far as any database counts
Before = Annotated[int | None, Query(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a list."""

    id: int
    uid: str
    revision: str
    branch: str | None
    stack: Mapping[str, str]
    selection: str
    started_at: datetime
    closed_at: datetime | None
    duration_s: float | None
    expected: int
    received: int
    complete: bool
    #: in the order of the bar, passes first
    verdicts: tuple[tuple[Verdict, int], ...]
    summary: str
    audit: Audit | None
    canary: Canary | None
    state: State
    #: how it goes, while it goes on or was stopped
    progress: Progress | None
    schedule: Schedule | None


def row(run: Run) -> RunRow:
    """A run as lists show it."""
    now = datetime.now(UTC)
    state = state_of(run.progress, closed=run.closed_at is not None, now=now)
    order = (Verdict.PASS, *(verdict for verdict in WORST_FIRST if verdict is not Verdict.PASS))
    return RunRow(
        id=run.id,
        uid=run.uid,
        revision=run.revision,
        branch=run.branch,
        stack=run.stack,
        selection=run.selection or "made elsewhere, without its plan",
        started_at=run.started_at,
        closed_at=run.closed_at,
        duration_s=run.duration_s,
        expected=run.expected,
        received=run.received,
        complete=run.complete,
        verdicts=tuple((name, run.verdicts[name]) for name in order if run.verdicts.get(name)),
        summary=summary_line(run.verdicts, run.duration_s if run.closed_at else None),
        audit=run.audit,
        canary=run.canary,
        state=state,
        progress=None if state is State.CLOSED else together(run.progress, now),
        schedule=run.schedule,
    )


def chosen(engine: Engine, ref: str, query: str = "") -> Run | None:
    """The run of that name; without one the newest that a query is asked of, if there are any."""
    if ref:
        return reads.run(engine, ref)
    return asked_of(engine, query, reads.runs(engine, limit=RECENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsPage:
    """All runs, newest first."""

    runs: tuple[RunRow, ...]
    #: where the older ones go on
    before: int | None


def runs_page(engine: Engine, before: int | None) -> RunsPage:
    found = reads.runs(engine, limit=_RUNS_A_PAGE, before_id=before)
    more = found[-1].id if len(found) == _RUNS_A_PAGE else None
    return RunsPage(runs=tuple(row(run) for run in found), before=more)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """One run: facts, matrix, failure groups, what cost most."""

    run: RunRow
    baseline: RunRow | None
    query: str
    #: what is wrong with the query, if it can't be read
    wrong: Wrong | None
    #: the same in a line
    query_error: str | None
    #: cells that the query means
    meant: int
    #: of many rows, those in which most fails; `/matrix` has all
    matrix: Matrix
    groups: tuple[Triaged, ...]
    errors: tuple[CellVerdict, ...]
    slowest: tuple[CellVerdict, ...]
    largest_plans: tuple[CellVerdict, ...]
    least_exact: tuple[CellVerdict, ...]
    #: how cells that are known to fail stand; all of the run's
    known: Mapping[Standing, int]


def run_page(engine: Engine, ref: str, query: str) -> RunPage:
    run = reads.run(engine, ref)
    more = asks_more(query)
    verdicts = (reads.verdicts if more else reads.outcomes)(engine, run.id)
    asked = ask(engine, run, query, verdicts)
    found, wrong = asked.found, asked.wrong
    numbered = found if more or not query else reads.numbered(engine, run.id, found)
    previous = reads.previous_complete(engine, run)

    def top(field: str) -> tuple[CellVerdict, ...]:
        """Those with the largest numbers; zero is none."""
        dearest = (
            largest(numbered, field, limit=_TOP)
            if query
            else reads.dearest(engine, run.id, field, limit=_TOP)
        )
        return tuple(item for item in dearest if getattr(item, field))

    return RunPage(
        run=row(run),
        baseline=row(previous) if previous else None,
        query=query,
        wrong=wrong,
        query_error=wrong.message if wrong else None,
        meant=len(found),
        matrix=matrix(found, classes=few_classes(found), most=_ROWS),
        groups=tuple(_groups(engine, run, verdicts, found)),
        errors=tuple(item for item in found if item.verdict is Verdict.ERROR),
        slowest=top("duration_s"),
        largest_plans=top("planned_bytes"),
        least_exact=top("max_abs_diff"),
        known=known_of(run, verdicts).counts,
    )


def _groups(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict], found: Sequence[CellVerdict]
) -> list[Triaged]:
    """The groups of the cells that were found alone, as `/groups` shows them."""
    rules = regrouping(engine)
    counts = Counter(rules.told(item).signature for item in found if item.signature)
    groups, _ = explain_groups(engine, run, verdicts)
    shown = [
        replace(group, cells=counts[group.signature]) for group in groups if counts[group.signature]
    ]
    told = with_triage(engine, shown, run)
    return sorted(told, key=lambda group: (group.muted, -group.cells))


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/runs.json")
    def runs_json(before: Before = None) -> RunsPage:
        return runs_page(engine, before)

    @router.get("/runs", include_in_schema=False)
    def runs_html(request: Request, before: Before = None) -> Response:
        return render(request, "runs.html", runs_page(engine, before), title="Runs")

    @router.get("/runs/{ref}.json")
    def run_json(ref: str, q: str = "") -> RunPage:
        return run_page(engine, ref, q)

    @router.get("/runs/{ref}", include_in_schema=False)
    def run_html(request: Request, ref: str, q: str = "", *, hold: bool = False) -> Response:
        page = run_page(engine, ref, q)
        goes_on = page.run.state is State.RUNNING and not hold
        return render(
            request,
            "run.html",
            page,
            title=f"Run {page.run.id}: {page.run.revision}",
            refresh_s=_REFRESH_S if goes_on else None,
        )

    return router
