"""`/`: the newest results, what changed, and the last runs."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from dashboard.matrix import Matrix, matrix
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.change import Change
from runner.core.diff import diff
from runner.core.runs import FailureGroup, Run
from runner.steps.confirming import with_confirmations
from runner.store import reads
from runner.store.engine import Engine

_RUNS = 8
_GROUPS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the baseline, counted."""

    baseline: RunRow
    complete: bool
    losses: int
    counts: tuple[tuple[Change, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """The newest run with results, and the last runs."""

    runs: tuple[RunRow, ...]
    newest: RunRow | None
    changes: Changes | None
    matrix: Matrix
    groups: tuple[FailureGroup, ...]
    more_groups: int


def overview_page(engine: Engine) -> OverviewPage:
    runs = reads.runs(engine, limit=_RUNS)
    newest = next((run for run in runs if run.received), None)
    if newest is None:
        return OverviewPage(
            runs=tuple(map(row, runs)),
            newest=None,
            changes=None,
            matrix=matrix([]),
            groups=(),
            more_groups=0,
        )
    groups = reads.groups(engine, newest.id)
    return OverviewPage(
        runs=tuple(map(row, runs)),
        newest=row(newest),
        changes=_changes(engine, newest),
        matrix=matrix(reads.spots(engine, newest.id)),
        groups=tuple(groups[:_GROUPS]),
        more_groups=max(0, len(groups) - _GROUPS),
    )


def _changes(engine: Engine, newest: Run) -> Changes | None:
    baseline = reads.previous_complete(engine, newest)
    if baseline is None:
        return None
    before, after = (reads.verdicts(engine, run.id) for run in (baseline, newest))
    found = with_confirmations(engine, diff(baseline, newest, before, after))
    return Changes(
        baseline=row(baseline),
        complete=found.complete,
        losses=found.losses,
        counts=tuple(found.counts.items()),
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/index.json")
    def overview_json() -> OverviewPage:
        return overview_page(engine)

    @router.get("/", include_in_schema=False)
    def overview_html(request: Request) -> Response:
        return render(request, "overview.html", overview_page(engine), title="Overview")

    return router
