"""A run from start to close: plan, execute, ingest, settle; interrupted anywhere, resumed later.

The files of its folder (`plans`) are the truth while it runs; the database takes results as they
come, and takes them all again on resume, which changes nothing.
"""

import dataclasses
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.cells import Cell
from harness.errors import MatrixError, nearest
from harness.isolation.guard import clear_abandoned
from harness.results import Outcome, Result
from harness.stack import stack
from harness.terms import Terms
from runner.core.label import label
from runner.core.limits import LimitRule, limited, project_rules
from runner.core.plan import costs_of, expected, longest_first
from runner.core.runs import Run
from runner.core.schedule import Span, measured
from runner.core.verdict import to_be_retried
from runner.execute.local import run_shard
from runner.execute.shard import Executor, Shard
from runner.revisions import Revision
from runner.revisions.keeping import use_again
from runner.steps import canary
from runner.steps.intake import Intake, OnProgress
from runner.steps.plans import (
    Plan,
    executed,
    held,
    recorded,
    repair,
    result_files,
    unused_name,
)
from runner.steps.reusing import Reuse
from runner.steps.selecting import Selected
from runner.store import reads, writes
from runner.store.costs import spent
from runner.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What of this machine a run may take."""

    #: cells at once
    workers: int = 1
    #: MiB that all of them may take together; None for what the machine has
    memory_mib: int | None = None


def new_uid(revision: str, now: datetime) -> str:
    return f"{now:%Y%m%dT%H%M%S}-{revision}-{secrets.token_hex(2)}"


def start(  # noqa: PLR0913  (what a plan is made from)
    engine: Engine,
    selected: Selected,
    revision: Revision,
    *,
    folder: Path,
    drafted: Mapping[str, str],
    limits: tuple[LimitRule, ...] | None = None,
    shard: tuple[int, int] = (1, 1),
) -> Plan:
    """Draft a plan and begin its run.

    With `shard`, as the I-th of N machines: shares are those of what is usual, for what one
    machine's database knows another's may not.
    """
    plan = draft(engine, selected, revision, folder=folder, drafted=drafted, limits=limits)
    begin(engine, plan := plan.shared(*shard, costs={}))
    return plan


def draft(  # noqa: PLR0913  (what a plan is made from)
    engine: Engine,
    selected: Selected,
    revision: Revision,
    *,
    folder: Path,
    drafted: Mapping[str, str],
    limits: tuple[LimitRule, ...] | None = None,
) -> Plan:
    """A run as planned, of which nothing is there yet.

    `drafted` holds `selection`, `zoo` and, if given, `dynamic_shapes`, the `branch`, and the `uid`
    that several machines share. Without `limits`, the project's hold.
    """
    now = datetime.now(UTC)
    uid = drafted.get("uid") or new_uid(revision.name, now)
    known = spent(engine)
    return Plan(
        uid=uid,
        folder=folder / "runs" / uid,
        revision=revision.name,
        revision_path=revision.path,
        stack=versions(revision),
        selection=drafted["selection"],
        started_at=now,
        cells=selected.cells,
        skips=selected.skips,
        share=selected.cells,
        zoo=drafted["zoo"],
        dynamic_shapes=drafted.get("dynamic_shapes", ""),
        branch=drafted.get("branch") or revision.branch,
        limits=project_rules() if limits is None else limits,
        expected=expected(selected.cells, known.seconds, known.mib),
    )


def versions(revision: Revision) -> dict[str, str]:
    """The stack that a revision runs on here."""
    return stack() | ({"transformers": revision.name} if revision.path else {})


def begin(engine: Engine, plan: Plan) -> None:
    """Write the folder of a new run and open the run in the database."""
    with held(plan):
        if (plan.folder / "run.json").exists():
            raise MatrixError(
                f"run {plan.folder.name} is there already; go on with"
                f" `export-matrix run --resume {plan.folder.name}`, or give another --name"
            )
        plan.save()
        open_planned(engine, plan)


def resume(engine: Engine, uid: str, *, folder: Path) -> Plan:
    """The plan of an interrupted run, with all results that its files hold in the database."""
    runs = folder / "runs"
    files = sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    known = [path.parent.name for path in files]
    if uid == "latest" and known:
        uid = known[-1]
    if uid not in known:
        raise MatrixError(f"no run {uid!r} to resume in {runs}{nearest(uid, known)}")
    plan = Plan.load(runs / uid)
    if plan.revision_path:
        use_again(plan.revision_path, plan.revision)
    with held(plan):
        clear_abandoned()  # no host will, if all results were there when the machine stopped
        repair(plan)
        open_planned(engine, plan)
        for file in result_files(plan):
            writes.ingest_file(engine, file, label=label)
    return plan


def open_planned(engine: Engine, plan: Plan) -> Run:
    """The run in the database, with all cells that the plan expects."""
    return writes.open_run(
        engine,
        uid=plan.uid,
        revision=plan.revision,
        branch=plan.branch,
        stack=plan.stack,
        selection=plan.selection,
        started_at=plan.started_at,
        cells=plan.cells,
    )


def execute(  # noqa: PLR0913  (what a run is executed with)
    engine: Engine,
    plan: Plan,
    room: Room,
    *,
    on_progress: OnProgress = lambda progress: None,
    reuse: Reuse | None = None,
    executor: Executor = run_shard,
    canary_cells: int | None = None,
) -> Run:
    """Run what the plan's share still lacks, retry suspects once and alone, close the run.

    `canary_cells` of them run once more in cold processes; None for as many as usual. The run stays
    open if pytest ended before it ran anything of what was left: it is to be resumed.
    """
    began = time.monotonic()
    spans: list[Span] = []
    planned = {cell: terms(plan, cell).expected_s for cell in plan.share}
    with held(plan):
        with Intake(engine, plan, planned, on_progress) as intake:
            done = recorded(plan)
            done |= intake.take(_skips(plan, done))
            if reuse:
                done |= intake.take(reuse.carry(_waiting(plan, done)))
            # A pytest that dies early has the rest run by another, as long as they get anywhere.
            while (shard := _next_shard(plan, room, done)).cells:
                results = _timed(executor(shard), spans if shard.attempt == 1 else [])
                if not (taken := intake.take(results, notice=shard.notice)):
                    duration = time.monotonic() - began
                    return dataclasses.replace(reads.run(engine, plan.uid), duration_s=duration)
                done |= taken
            if schedule := measured(spans, workers=room.workers):
                writes.note_schedule(engine, plan.uid, schedule)
            everything = shard_of(plan, plan.share, room, attempt=1)
            canary.check(
                engine,
                plan,
                everything,
                size=canary_cells,
                executor=executor,
                on_compared=intake.compared,
            )
            if reuse:
                reuse.close()
        duration = time.monotonic() - began
        return writes.close_run(engine, plan.uid, closed_at=datetime.now(UTC), duration_s=duration)


def _next_shard(plan: Plan, room: Room, done: set[Cell]) -> Shard:
    """What is left to run: all first attempts, then the suspects', alone; at last no cells."""
    if waiting := _waiting(plan, done):
        order = longest_first(waiting, costs_of(plan.expected))
        return shard_of(plan, order, room, attempt=1)
    attempt, cells = next(iter(suspects(plan).items()), (2, []))
    return shard_of(plan, cells, dataclasses.replace(room, workers=1), attempt=attempt)


def _timed(results: Iterable[Result], spans: list[Span]) -> Iterator[Result]:
    """The same results; when each cell began and ended is noted."""
    for result in results:
        now = time.monotonic()
        spans.append((now - result.duration_s, now))
        yield result


def _waiting(plan: Plan, done: set[Cell]) -> list[Cell]:
    """The cells of the share that have no result yet and can run here."""
    return [cell for cell in plan.share if cell not in done and cell not in plan.skips]


def _skips(plan: Plan, done: set[Cell]) -> Iterator[Result]:
    """Results of the cells that can't run here, written beside the others'."""
    file = plan.folder / "shards" / "skips.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    share = set(plan.share)
    with file.open("a") as out:
        for cell, reason in plan.skips.items():
            if cell in share and cell not in done:
                result = Result(
                    cell=cell,
                    outcome=Outcome.SKIP,
                    reason=reason,
                    run=plan.uid,
                    revision=plan.revision,
                    stack=plan.stack,
                )
                out.write(result.to_line() + "\n")
                yield result


def suspects(plan: Plan) -> dict[int, list[Cell]]:
    """Cells whose attempts are not trusted yet, by the number of their next attempt."""
    by_cell: dict[Cell, list[Result]] = {}
    for result in executed(plan):
        by_cell.setdefault(result.cell, []).append(result)
    again: dict[int, list[Cell]] = {}
    for cell, results in by_cell.items():
        if to_be_retried(results):
            again.setdefault(max(result.attempt for result in results) + 1, []).append(cell)
    return dict(sorted(again.items()))


def shard_of(plan: Plan, cells: Sequence[Cell], room: Room, *, attempt: int) -> Shard:
    """These cells, run as the plan says."""
    folder = plan.folder / "shards"
    return Shard(
        cells=cells,
        folder=folder,
        name=unused_name(folder),
        run=plan.uid,
        revision=plan.revision,
        revision_path=plan.revision_path,
        zoo=plan.zoo,
        workers=max(1, min(room.workers, len(cells))),
        terms={cell: terms(plan, cell) for cell in cells},
        memory_mib=room.memory_mib,
        attempt=attempt,
        dynamic_shapes=plan.dynamic_shapes,
    )


def terms(plan: Plan, cell: Cell) -> Terms:
    """On which a cell runs; what it is expected to take of memory ends where it may not go on."""
    found = limited(cell, plan.limits)
    usual = plan.expected.get(cell) or expected([cell], {}, {})[cell]
    mib = min(usual.mib, found.memory_limit_mib)
    return dataclasses.replace(found, expected_s=usual.seconds, expected_mib=mib)
