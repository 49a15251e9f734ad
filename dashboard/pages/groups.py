"""`/groups` and `/groups/{signature}`: what failed alike."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from dashboard.pages.cells import TraceLine, trace_lines
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from harness.errors import SelectionError
from runner.core.runs import CellVerdict, FailureGroup
from runner.store import reads
from runner.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsPage:
    """The failure groups of a run, the largest first."""

    #: None while the database has no run
    run: RunRow | None
    groups: tuple[FailureGroup, ...]


def groups_page(engine: Engine, ref: str) -> GroupsPage:
    if not reads.runs(engine, limit=1):
        return GroupsPage(run=None, groups=())
    run = reads.run(engine, ref)
    return GroupsPage(run=row(run), groups=tuple(reads.groups(engine, run.id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run that a group was seen in."""

    run: RunRow
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """A failure group: its cells in the newest run that has it, its runs, an example."""

    group: FailureGroup
    run: RunRow
    by_type: Mapping[str, tuple[CellVerdict, ...]]
    seen: tuple[Seen, ...]
    example: str | None
    trace: tuple[TraceLine, ...]


def group_page(engine: Engine, signature: str) -> GroupPage:
    group = reads.group(engine, signature)
    seen = reads.group_runs(engine, signature)
    if group is None or not seen:
        raise SelectionError(f"no failure group {signature!r}; see /groups for those of a run")
    run = seen[0][0]
    cells: dict[str, list[CellVerdict]] = defaultdict(list)
    for found in reads.group_cells(engine, signature, run_id=run.id):
        cells[found.cell.model_type].append(found)
    example = reads.example(engine, signature)
    return GroupPage(
        group=group,
        run=row(run),
        by_type={name: tuple(found) for name, found in cells.items()},
        seen=tuple(Seen(run=row(past), cells=count) for past, count in seen),
        example=example[1].cell.id if example else None,
        trace=tuple(trace_lines(example[1].traceback or "")) if example else (),
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/groups.json")
    def groups_json(run: str = "latest") -> GroupsPage:
        return groups_page(engine, run)

    @router.get("/groups", include_in_schema=False)
    def groups_html(request: Request, run: str = "latest") -> Response:
        return render(request, "groups.html", groups_page(engine, run), title="Failure groups")

    @router.get("/groups/{signature}.json")
    def group_json(signature: str) -> GroupPage:
        return group_page(engine, signature)

    @router.get("/groups/{signature}", include_in_schema=False)
    def group_html(request: Request, signature: str) -> Response:
        page = group_page(engine, signature)
        return render(request, "group.html", page, title=page.group.title)

    return router
