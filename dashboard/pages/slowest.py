"""`/slowest`: which cells of a run cost most, by time, memory, plan, graph or difference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from dashboard.asking import Wrong, ask, largest
from dashboard.pages.runs import RunRow, chosen, row
from dashboard.rendering import render
from runner.core.runs import CellVerdict, Run, Verdict
from runner.store import reads
from runner.store.engine import Engine

_SHOWN = 50
#: seconds that a band of durations ends at
_BOUNDS = (1.0, 3.0, 10.0, 30.0, 100.0, float("inf"))


class Cost(StrEnum):
    """What is counted; a column of a cell's verdict."""

    TIME = "duration_s"
    CPU = "cpu_s"
    EXPORT = "export_s"
    MEMORY = "peak_rss_bytes"
    PLANNED = "planned_bytes"
    NODES = "graph_nodes"
    DIFFERENCE = "max_abs_diff"


WORDS = {
    Cost.TIME: "time",
    Cost.CPU: "CPU time",
    Cost.EXPORT: "export time",
    Cost.MEMORY: "peak memory",
    Cost.PLANNED: "planned memory",
    Cost.NODES: "graph nodes",
    Cost.DIFFERENCE: "difference to eager",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How many cells of a backend took about so long, by the bands that end at `_BOUNDS`."""

    backend: str
    cells: tuple[int, ...]
    #: of the fullest band of all, in percent
    shares: tuple[int, ...]
    total_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowestPage:
    """The dearest cells of a run."""

    run: RunRow | None
    query: str
    wrong: Wrong | None
    by: Cost
    #: the dearest first
    cells: tuple[CellVerdict, ...]
    durations: tuple[Durations, ...]

    @property
    def costs(self) -> Mapping[Cost, str]:
        """What can be sorted by, in words."""
        return WORDS

    def address(self, by: Cost) -> str:
        """The same by another cost."""
        kept = {"run": self.run.id if self.run else "", "q": self.query, "by": by.value}
        return f"/slowest?{urlencode({name: value for name, value in kept.items() if value})}"


def slowest_page(engine: Engine, ref: str, query: str, by: Cost) -> SlowestPage:
    run = chosen(engine, ref, query)
    cells, took, wrong = _meant(engine, run, query, by) if run else ((), (), None)
    return SlowestPage(
        run=row(run) if run else None,
        query=query,
        wrong=wrong,
        by=by,
        cells=tuple(cells),
        durations=tuple(_durations(took)),
    )


Took = Sequence[tuple[str, float]]


def _meant(
    engine: Engine, run: Run, query: str, by: Cost
) -> tuple[Sequence[CellVerdict], Took, Wrong | None]:
    """The dearest cells, (backend, seconds) of all that were executed, what can't be read."""
    if not query.strip():
        cells = reads.dearest(engine, run.id, by, limit=_SHOWN)
        return cells, reads.durations(engine, run.id), None
    asked = ask(engine, run, query)
    dearest = largest(asked.found, by, limit=_SHOWN)
    took = [
        (each.cell.backend, each.duration_s)
        for each in asked.found
        if each.duration_s is not None
        and not each.carried_from
        and each.verdict is not Verdict.SKIP
    ]
    return dearest, took, asked.wrong


def _durations(told: Took) -> list[Durations]:
    by_backend: dict[str, list[float]] = defaultdict(list)
    for backend, seconds in told:
        by_backend[backend].append(seconds)
    banded = {backend: _banded(took) for backend, took in sorted(by_backend.items())}
    fullest = max((count for counts in banded.values() for count in counts), default=1) or 1
    return [
        Durations(
            backend=backend,
            cells=counts,
            shares=tuple(round(100 * count / fullest) for count in counts),
            total_s=sum(by_backend[backend]),
        )
        for backend, counts in banded.items()
    ]


def _banded(took: Sequence[float]) -> tuple[int, ...]:
    lower = (0.0, *_BOUNDS[:-1])
    return tuple(
        sum(low <= each < high for each in took) for low, high in zip(lower, _BOUNDS, strict=True)
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/slowest.json")
    def slowest_json(run: str = "", q: str = "", by: Cost = Cost.TIME) -> SlowestPage:
        return slowest_page(engine, run, q, by)

    @router.get("/slowest", include_in_schema=False)
    def slowest_html(
        request: Request, run: str = "", q: str = "", by: Cost = Cost.TIME
    ) -> Response:
        page = slowest_page(engine, run, q, by)
        return render(request, "slowest.html", page, title="Slowest and biggest")

    return router
