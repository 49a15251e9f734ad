"""`/flaky`: the cells that flip while nothing that decides their outcome changes."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from dashboard.rendering import render
from harness.cells import Cell
from runner.core.flips import Executed
from runner.store import history
from runner.store.engine import Engine

_LAST = 20
Last = Annotated[int, Query(ge=2, le=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakyCell:
    """A cell that flipped."""

    cell: Cell
    id: str
    flips: int
    considered: int
    #: 100 * flips / considered
    percent: float
    #: what the considered runs came to, oldest first
    runs: tuple[Executed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakyPage:
    """The flakiest cells of the last runs."""

    last: int
    cells: tuple[FlakyCell, ...]


def flaky_page(engine: Engine, last: int) -> FlakyPage:
    found = history.flakiest(engine, last=last)
    return FlakyPage(
        last=last,
        cells=tuple(
            FlakyCell(
                cell=cell,
                id=cell.id,
                flips=each.flips,
                considered=each.considered,
                percent=each.percent,
                runs=each.runs,
            )
            for cell, each in found
        ),
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/flaky.json")
    def flaky_json(last: Last = _LAST) -> FlakyPage:
        return flaky_page(engine, last)

    @router.get("/flaky", include_in_schema=False)
    def flaky_html(request: Request, last: Last = _LAST) -> Response:
        return render(request, "flaky.html", flaky_page(engine, last), title="Flaky cells")

    return router
