"""`/groups`: what failed alike in a run, what people said of it, and saying it of many at once.

Muted groups stand apart and are counted; filters and a search over the cells leave out the others.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from harness.errors import SelectionError
from runner.core.query.reader import parse
from runner.core.runs import Run
from runner.core.select import NOBODY
from runner.core.triage import State
from runner.core.unlock import Unlock
from runner.steps.explaining import explain_groups
from runner.steps.triaging import Triaged, found_by, with_triage
from runner.store import reads
from runner.store.engine import Engine

PAGE = 100

_SORTS: Mapping[str, Callable[[Triaged], tuple[object, ...]]] = {
    "cells": lambda each: (-each.cells, each.signature),
    "unlocks": lambda each: (-(each.unlocks or 0), -each.cells),
    "kind": lambda each: (each.kind, -each.cells),
    "owner": lambda each: (each.owner, -each.cells),
    "state": lambda each: (list(State).index(each.triage.state), -each.cells),
    "changed": lambda each: (-_seconds(each.triage.changed_at), -each.cells),
}


def _seconds(moment: datetime | None) -> float:
    return 0.0 if moment is None else moment.astimezone(UTC).timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which groups are asked for, and in which order."""

    run: str = "latest"
    #: a search over cells: groups that have such
    q: str = ""
    state: str = ""
    #: a name, or `nobody`
    assignee: str = ""
    kind: str = ""
    owner: str = ""
    sort: str = "cells"
    page: Annotated[int, Query(ge=1, le=100_000)] = 1

    def address(self, **other: object) -> str:
        """The address of these groups, but for what is said otherwise."""
        asked = {each.name: getattr(self, each.name) for each in fields(self)} | other
        usual = {"run": "latest", "sort": "cells", "page": 1}
        told = {name: value for name, value in asked.items() if value not in ("", usual.get(name))}
        return "/groups" + (f"?{urlencode(told)}" if told else "")

    def means(self, found: Triaged) -> bool:
        own = {
            "state": found.triage.state.value,
            "assignee": found.triage.assignee or NOBODY,
            "kind": found.kind,
            "owner": found.owner,
        }
        return all(getattr(self, name) in ("", value) for name, value in own.items())


#: what a list is asked for by, on whichever page
ASKED = tuple(each.name for each in fields(Asked) if each.name != "page")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsPage:
    """The failure groups of a run, the largest first."""

    #: None while the database has no run
    run: RunRow | None
    asked: Asked
    #: why the search could not be read
    problem: str | None = None
    #: those that were asked for, a page of them; muted ones after the others
    groups: tuple[Triaged, ...] = ()
    #: how many that are, on all pages, and how many of them are muted
    found: int = 0
    muted: int = 0
    #: cells of those that are muted
    muted_cells: int = 0
    #: of the whole run: state -> groups; what there is to filter by
    states: Mapping[str, int]
    assignees: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    #: which to fix first, each after the ones before it
    first: tuple[Unlock, ...] = ()
    #: cells that are in a group
    failing: int = 0

    @property
    def every_state(self) -> tuple[str, ...]:
        """To choose from."""
        return tuple(State)

    @property
    def hidden(self) -> Mapping[str, object]:
        """What the form for many says of the list that it was on."""
        return {name: getattr(self.asked, name) for name in ASKED}

    @property
    def pages(self) -> int:
        return max(1, -(-self.found // PAGE))


def groups_page(engine: Engine, asked: Asked) -> GroupsPage:
    if not reads.runs(engine, limit=1):
        return GroupsPage(run=None, asked=asked, states={})
    run = reads.run(engine, asked.run)
    every, first = _every(engine, run)
    problem = None
    try:
        found = wanted(engine, run, every, asked)
    except SelectionError as error:
        problem, found = str(error), []
    muted = [each for each in found if each.muted]
    start = (max(1, asked.page) - 1) * PAGE
    names = {each.triage.assignee for each in every if each.triage.assignee}
    return GroupsPage(
        run=row(run),
        asked=asked,
        problem=problem,
        groups=tuple(found[start : start + PAGE]),
        found=len(found),
        muted=len(muted),
        muted_cells=sum(each.cells for each in muted),
        states=Counter(each.triage.state.value for each in every),
        assignees=(*sorted(names), NOBODY),
        kinds=tuple(sorted({each.kind for each in every})),
        owners=tuple(sorted({each.owner for each in every})),
        first=tuple(first),
        failing=sum(each.cells for each in every),
    )


def wanted(engine: Engine, run: Run, every: Sequence[Triaged], asked: Asked) -> list[Triaged]:
    """Those that are asked for, in order, muted ones last; `SelectionError` of the search."""
    there = set(found_by(engine, run, parse(asked.q))) if asked.q.strip() else None
    found = [
        each for each in every if asked.means(each) and (there is None or each.signature in there)
    ]
    order = _SORTS.get(asked.sort, _SORTS["cells"])
    return sorted(found, key=lambda each: (each.muted, order(each)))


def all_wanted(engine: Engine, asked: Asked) -> list[str]:
    """The signatures of all that are asked for, on whichever page."""
    run = reads.run(engine, asked.run)
    every, _ = _every(engine, run)
    return [each.signature for each in wanted(engine, run, every, asked)]


def _every(engine: Engine, run: Run) -> tuple[list[Triaged], Sequence[Unlock]]:
    """All groups of a run, and which to fix first."""
    explained, first = explain_groups(engine, run, reads.outcomes(engine, run.id))
    return with_triage(engine, explained, run), first


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/groups.json")
    def groups_json(asked: Annotated[Asked, Depends()]) -> GroupsPage:
        return groups_page(engine, asked)

    @router.get("/groups", include_in_schema=False)
    def groups_html(request: Request, asked: Annotated[Asked, Depends()]) -> Response:
        page = groups_page(engine, asked)
        return render(request, "groups.html", page, title="Failure groups")

    return router
