"""`/fleet`: who works on which runs, what waits in the queue, who sends results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from dashboard.charts import Chart, Line, over_runs
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.progress import alive
from runner.core.runs import Run
from runner.store import reads
from runner.store.engine import Engine
from runner.store.fleet import Piece, Share, pieces, queue_counts, shares
from runner.store.tokens import all_tokens

_RUNS, _PIECES = 50, 50
_REFRESH_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine's share of a run; one that has been silent for a minute is not taken to work."""

    share: Share
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A project that may send results, and when it last did."""

    project: str
    runs: str
    used_at: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPage:
    """The machines, and what waits for them."""

    machines: tuple[Machine, ...]
    waiting: Mapping[str, int]
    queue: tuple[Piece, ...]
    senders: tuple[Sender, ...]
    #: runs that tell how they used their workers, newest first
    scheduled: tuple[RunRow, ...]
    #: how long those took, against the least possible
    makespans: Chart


def fleet_page(engine: Engine) -> FleetPage:
    now = datetime.now(UTC)
    scheduled = [run for run in reads.runs(engine, limit=_RUNS) if run.schedule]
    return FleetPage(
        machines=tuple(
            Machine(share=each, alive=alive(each.progress, now))
            for each in shares(engine, last=_RUNS)
        ),
        waiting=queue_counts(engine),
        queue=tuple(pieces(engine, limit=_PIECES)),
        senders=tuple(
            Sender(
                project=token.project,
                runs=token.runs,
                used_at=token.used_at,
                revoked=token.revoked_at is not None,
            )
            for token in all_tokens(engine)
        ),
        scheduled=tuple(map(row, scheduled)),
        makespans=_makespans(scheduled[::-1]),
    )


def _makespans(runs: Sequence[Run]) -> Chart:
    """Of runs that tell their schedule."""
    told = [run.schedule for run in runs if run.schedule]
    lines = (
        Line(name="took", values=tuple(round(each.makespan_s / 60, 2) for each in told)),
        Line(name="least possible", values=tuple(round(each.bound_s / 60, 2) for each in told)),
    )
    title = "Minutes from the first cell to the last"
    return over_runs(runs, lines, id="makespans", title=title, unit="min")


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/fleet.json")
    def fleet_json() -> FleetPage:
        return fleet_page(engine)

    @router.get("/fleet", include_in_schema=False)
    def fleet_html(request: Request) -> Response:
        page = fleet_page(engine)
        return render(request, "fleet.html", page, title="Fleet", refresh_s=_REFRESH_S)

    return router
