"""`/groups` and `/groups/{signature}`: what failed alike."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from dashboard.pages.cells import TraceLine, trace_lines
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from harness.errors import SelectionError
from runner.core.owner import Owner
from runner.core.roots import Cause
from runner.core.runs import FailureGroup
from runner.core.unlock import Unlock
from runner.steps.explaining import explain_group, explain_groups
from runner.store import history, reads
from runner.store.attempts import attempts_at
from runner.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsPage:
    """The failure groups of a run, the largest first."""

    #: None while the database has no run
    run: RunRow | None
    groups: tuple[FailureGroup, ...]
    #: which to fix first, each after the ones before it
    first: tuple[Unlock, ...]
    #: cells that are in a group
    failing: int


def groups_page(engine: Engine, ref: str) -> GroupsPage:
    if not reads.runs(engine, limit=1):
        return GroupsPage(run=None, groups=(), first=(), failing=0)
    run = reads.run(engine, ref)
    groups, first = explain_groups(engine, run, reads.verdicts(engine, run.id))
    failing = sum(group.cells for group in groups)
    return GroupsPage(run=row(run), groups=tuple(groups), first=tuple(first), failing=failing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run that a group was seen in."""

    run: RunRow
    cells: int
    #: of 100, against the run that had most of it
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    """A failure group: whose it is, its causes in the newest run that has it, its life."""

    group: FailureGroup
    run: RunRow
    owner: Owner
    #: cells that turn green if this group alone is fixed
    unlocks: int
    #: the run that had it first, for its age
    first: RunRow
    #: whether the newest run of all has it
    lives: bool
    by_type: Mapping[str, tuple[Cause, ...]]
    #: the causes, and the cells that only depend on one of them
    causes: int
    dependants: int
    #: newest first
    seen: tuple[Seen, ...]
    #: the root with most dependants
    example: str
    trace: tuple[TraceLine, ...]


def group_page(engine: Engine, signature: str) -> GroupPage:
    group = reads.group(engine, signature)
    life = history.life(engine, signature)
    if group is None or life is None:
        raise SelectionError(f"no failure group {signature!r}; see /groups for those of a run")
    failed = reads.group_cells(engine, signature, run_id=life.last.id)
    told = explain_group(engine, life.last, failed)
    by_type: dict[str, list[Cause]] = defaultdict(list)
    for cause in told.causes:
        by_type[cause.root.cell.model_type].append(cause)
    seen = reads.group_runs(engine, signature)
    most = max(count for _, count in seen)
    root = max(told.causes, key=lambda cause: len(cause.dependants)).root
    attempts = attempts_at(engine, life.last.id, root.cell)
    traces = [each.traceback or "" for each in attempts if each.signature == signature]
    return GroupPage(
        group=group,
        run=row(life.last),
        owner=told.owner,
        unlocks=told.unlocks,
        first=row(life.first),
        lives=life.last.id == reads.run(engine, "latest").id,
        by_type={name: tuple(found) for name, found in by_type.items()},
        causes=len(told.causes),
        dependants=len(failed) - len(told.causes),
        seen=tuple(
            Seen(run=row(past), cells=count, share=round(100 * count / most))
            for past, count in seen
        ),
        example=root.cell.id,
        trace=tuple(trace_lines(traces[0])) if traces else (),
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
