"""`/groups/{signature}`: one failure group, its cells, its life, and what people say of it.

A name that a group had before, or that was merged, leads on to what it became.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.charts import spark
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.common import Part
from runner.core.owner import Owner
from runner.core.roots import Cause
from runner.core.runs import FailureGroup, Run
from runner.core.triage import State
from runner.core.upstream import Issue
from runner.steps.grouped import Behind, Grouped, Line, grouped
from runner.steps.triaging import Triaged, with_triage
from runner.store import regrouping, triages
from runner.store.engine import Engine
from runner.store.triages import Entry

#: causes on a page
PAGE = 100
_LOGGED = 50
WIDTH, HEIGHT = 300, 48
Page = Annotated[int, Query(ge=1, le=100_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run, and how much of the group it had."""

    run: RunRow
    cells: int
    #: of 100, against the run that had most of it
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """A line of the example; what all tracebacks share is told apart."""

    text: str
    #: of the frame that the signature is made of
    signed: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """A failure group: whose it is, its causes in the newest run that has it, its life."""

    group: Triaged
    run: RunRow
    owner: Owner
    #: cells that turn green if this group alone is fixed
    unlocks: int
    behind: Behind
    #: the run that had it first, and the last complete one before it
    first: RunRow
    last_good: RunRow | None
    #: whether the newest run of all has it
    lives: bool
    #: those of this page
    by_type: Mapping[str, tuple[Cause, ...]]
    page: int
    pages: int
    #: the causes, and the cells that only depend on one of them
    causes: int
    dependants: int
    #: newest first; none of it where a run has 0 cells
    seen: tuple[Seen, ...]
    #: the points of a line over those runs, oldest first
    sparkline: str
    #: the root with most dependants
    example: str
    trace: tuple[TraceLine, ...]
    #: how many other tracebacks the example's was compared with, of as many other model types
    compared: int
    others: int
    related: tuple[FailureGroup, ...]
    merged: tuple[str, ...]
    parts: tuple[str, ...]
    reproduce: str
    script: str | None
    issue: Issue
    #: newest first
    log: tuple[Entry, ...]
    states: tuple[str, ...] = tuple(State)


def group_page(engine: Engine, signature: str, page: int = 1) -> GroupPage:
    found = grouped(engine, signature)
    [group] = with_triage(engine, [found.group], found.run)
    start = (max(1, page) - 1) * PAGE
    by_type: dict[str, list[Cause]] = defaultdict(list)
    for cause in found.causes[start : start + PAGE]:
        by_type[cause.root.cell.model_type].append(cause)
    good = found.span.good
    return GroupPage(
        group=group,
        run=row(found.run),
        owner=found.owner,
        unlocks=found.unlocks,
        behind=found.behind,
        first=row(found.span.first),
        last_good=row(good) if good else None,
        lives=found.lives,
        by_type={name: tuple(causes) for name, causes in by_type.items()},
        page=max(1, page),
        pages=max(1, -(-len(found.causes) // PAGE)),
        causes=len(found.causes),
        dependants=found.group.cells - len(found.causes),
        seen=tuple(_seen(found.timeline)),
        sparkline=spark(
            [cells for _, cells in reversed(found.timeline)],
            width=WIDTH,
            height=HEIGHT,
            margin=4,
            low=0.0,
        ),
        example=found.example.cell.id,
        trace=tuple(_line(line) for line in found.trace),
        compared=found.compared,
        others=found.others,
        related=found.related,
        merged=found.merged,
        parts=found.parts,
        reproduce=_reproduce(found),
        script=found.script,
        issue=found.issue,
        log=tuple(triages.log(engine, signature=signature, limit=_LOGGED)),
    )


def _seen(timeline: Sequence[tuple[Run, int]]) -> list[Seen]:
    most = max((cells for _, cells in timeline), default=0) or 1
    return [
        Seen(run=row(run), cells=cells, share=round(100 * cells / most)) for run, cells in timeline
    ]


def _line(line: Line) -> TraceLine:
    text = "".join(part.text for part in line.parts)
    return TraceLine(text=text, signed=line.signed, parts=line.parts)


def _reproduce(found: Grouped) -> str:
    name = found.group.signature
    return f"export-matrix reproduce {name} -o {name}"


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/groups/{signature}.json", response_model=GroupPage)
    def group_json(signature: str, page: Page = 1) -> GroupPage | Response:
        now = regrouping.became(engine, signature)
        return (
            RedirectResponse(f"/groups/{now}.json") if now else group_page(engine, signature, page)
        )

    @router.get("/groups/{signature}", include_in_schema=False)
    def group_html(request: Request, signature: str, page: Page = 1) -> Response:
        if now := regrouping.became(engine, signature):
            return RedirectResponse(f"/groups/{now}")
        found = group_page(engine, signature, page)
        return render(request, "group.html", found, title=found.group.title)

    return router
