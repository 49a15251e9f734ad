"""`cases` and `run`: the commands that make results."""

import re
import signal
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from harness.cells import Cell
from harness.errors import SelectionError
from harness.zoo.base import load_zoo
from runner.cli.console import as_json, err, listed, out, progress
from runner.cli.executors import ExecutorName, ExecutorOption, RayAddress, chosen_executor
from runner.cli.options import (
    DEFAULT_ZOO,
    INSTALLED,
    Backends,
    CasePath,
    Database,
    DynamicShapes,
    Json,
    LimitsFile,
    MemoryBudget,
    MemoryLimit,
    RevisionName,
    TimeLimit,
    Variants,
    Words,
    ZooName,
    asked_for,
    limit_rules,
    own_limits,
)
from runner.cli.planning import what_is_asked
from runner.core.canary import CELLS as CANARY_CELLS
from runner.core.limits import LimitRule
from runner.core.plain import plain
from runner.core.plan import costs_of
from runner.core.render import audit_line, canary_line, schedule_line, summary_line
from runner.core.reuse import AUDIT_PERCENT
from runner.core.runs import Canary, Run
from runner.execute.shard import Executor
from runner.revisions import resolve
from runner.settings import settings
from runner.steps import running
from runner.steps.planfiles import read_plan, require_stack
from runner.steps.plans import Plan
from runner.steps.reusing import Reuse
from runner.steps.selecting import Asked, Build, Selected, builds, select
from runner.store.engine import Engine, ensure

_COMMIT = re.compile("[0-9a-f]{12}")
_PLANNED = (
    "a plan says what is run: beside --plan there can be no SELECT, and none of --backend, "
    "--variant, --case, --dynamic-shapes, --name and --resume"
)


def register(app: typer.Typer) -> None:
    app.command("cases")(cases)
    app.command("run")(run)


def cases(  # noqa: PLR0913  (one parameter per option)
    words: Words = None,
    *,
    backend: Backends = None,
    variant: Variants = None,
    revision: RevisionName = INSTALLED,
    zoo: ZooName = DEFAULT_ZOO,
    case: CasePath = None,
    dynamic_shapes: DynamicShapes = None,
    build: Annotated[bool, typer.Option(help="Build each case and say whether it works.")] = False,
    explain: Annotated[bool, typer.Option(help="Build, and say how each case is made.")] = False,
    as_json_: Json = False,
) -> None:
    """List what would run: cells, and with --build whether each case can be built."""
    asked = asked_for(words, backend, variant, zoo, case=case, shapes=dynamic_shapes)
    path = resolve(revision, cache=settings().folder).path
    selected = select(asked, revision_path=path)
    made = _made(selected, asked, path) if build or explain else {}
    records = [_record(cell, selected, load_zoo(asked.zoo).name, made) for cell in selected.cells]
    if as_json_:
        as_json(records)
        return
    listed(
        plain(f"{record['status']:5}  {record['id']}  {record['reason'] or ''}".rstrip())
        for record in records
    )
    if explain:
        as_json({name: dict(one.recipe) for name, one in made.items()})
    states = [record["status"] for record in records]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    err.print(f"{len(records)} cells: {counts}")


def _made(selected: Selected, asked: Asked, path: Path | None) -> dict[str, Build]:
    ready = (cell for cell in selected.cells if cell not in selected.skips)
    names = list(dict.fromkeys(f"{cell.model_type}/{cell.model_class}" for cell in ready))
    with err.status(f"building {len(names)} cases …"):
        return dict(builds(asked, names, folder=settings().folder, revision_path=path))


def _record(
    cell: Cell, selected: Selected, provider: str, made: Mapping[str, Build]
) -> dict[str, str | None]:
    """One entry of `cases --json`, a contract."""
    skip = selected.skips.get(cell)
    build = made.get(f"{cell.model_type}/{cell.model_class}", Build(status="ready"))
    return {
        "id": cell.id,
        "model_type": cell.model_type,
        "model_class": cell.model_class,
        "variant": cell.variant,
        "backend": cell.backend,
        "provider": provider,
        "status": "skip" if skip else build.status,
        "reason": skip or build.reason,
    }


def run(  # noqa: PLR0913  (one parameter per option)
    context: typer.Context,
    words: Words = None,
    *,
    backend: Backends = None,
    variant: Variants = None,
    revision: RevisionName = INSTALLED,
    zoo: ZooName = DEFAULT_ZOO,
    case: CasePath = None,
    dynamic_shapes: DynamicShapes = None,
    workers: Annotated[
        int | None,
        typer.Option("-n", "--workers", min=1, help="Cells at once. Default: by cores and memory."),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="Run this plan, or --shard I/N of it."),
    ] = None,
    shard: Annotated[str, typer.Option(help="I/N: the I-th of N shares of the run.")] = "1/1",
    name: Annotated[
        str | None, typer.Option(help="Unique name of the run, the same for all its shares.")
    ] = None,
    limits: LimitsFile = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    memory_budget: MemoryBudget = None,
    reuse: Annotated[
        bool, typer.Option(help="Carry over results that nothing has changed; --no-reuse runs all.")
    ] = True,
    audit: Annotated[
        float,
        typer.Option(min=0, max=100, help="Percent of what could be carried that is run anyway."),
    ] = AUDIT_PERCENT,
    canary: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Cells to run once more in cold processes, to compare; 0 for none. "
            f"Default: 4 % of what is executed, at most {CANARY_CELLS}.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with this run (its name, or `latest`).")
    ] = None,
    executor: ExecutorOption = ExecutorName.LOCAL,
    ray_address: RayAddress = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Plan, execute and ingest a selection of the matrix; failing cells are data, not an error."""
    engine = ensure(database or settings().database_url)
    chosen = context.with_resource(chosen_executor(executor, ray_address))
    room = running.Room(
        workers=workers or chosen.workers,
        memory_mib=memory_budget or settings().memory_budget,
    )
    own = own_limits(limits, time_s=time_limit, memory_mib=memory_limit)
    if plan_file is not None:
        if any([words, backend, variant, case, dynamic_shapes, name, resume]):
            raise SelectionError(_PLANNED)
        plan = _given(engine, plan_file, revision, shard=_share(shard), own=own)
    elif resume is None:
        asked = asked_for(words, backend, variant, zoo, case=case, shapes=dynamic_shapes)
        rules = limit_rules(limits, time_s=time_limit, memory_mib=memory_limit)
        plan = _planned(engine, asked, revision, shard=_share(shard), name=name, limits=rules)
    else:
        plan = running.resume(engine, resume, folder=settings().folder)
        plan = replace(plan, limits=(*own, *plan.limits))
    err.print(f"run {plan.uid}: {len(plan.share)} of {len(plan.cells)} cells", markup=False)
    carrying = Reuse(engine, plan, cache=settings().folder, percent=audit) if reuse else None
    _execute(
        engine,
        plan,
        room,
        carrying,
        executor=chosen.executor,
        canary=canary,
        quiet_json=as_json_,
    )


def _planned(  # noqa: PLR0913  (what a plan is made from)
    engine: Engine,
    asked: Asked,
    revision: str,
    *,
    shard: tuple[int, int],
    name: str | None,
    limits: tuple[LimitRule, ...],
) -> Plan:
    with err.status("finding the model classes …"):
        resolved = resolve(revision, cache=settings().folder)
        selected = select(asked, revision_path=resolved.path)
    return running.start(
        engine,
        selected,
        resolved,
        folder=settings().folder,
        drafted=what_is_asked(asked, name),
        limits=limits,
        shard=shard,
    )


def _given(
    engine: Engine,
    file: Path,
    revision: str,
    *,
    shard: tuple[int, int],
    own: tuple[LimitRule, ...],
) -> Plan:
    """This machine's share of the plan in a file, with the plan's revision as it is found here."""
    plan = read_plan(file, folder=settings().folder)
    if revision == INSTALLED:
        if _COMMIT.fullmatch(plan.revision):
            raise SelectionError(
                f"the plan is of commit {plan.revision}; say where it is: "
                f"--revision path/to/transformers@{plan.revision}"
            )
        revision = plan.revision
    resolved = resolve(revision, cache=settings().folder)
    if resolved.name != plan.revision:
        raise SelectionError(f"--revision is {resolved.name}, but the plan is of {plan.revision}")
    require_stack(plan, running.versions(resolved))
    plan = replace(plan, revision_path=resolved.path, limits=(*own, *plan.limits))
    plan = plan.shared(*shard, costs=costs_of(plan.expected))
    running.begin(engine, plan)
    return plan


def _execute(  # noqa: PLR0913  (what a run is executed with)
    engine: Engine,
    plan: Plan,
    room: running.Room,
    reuse: Reuse | None,
    *,
    executor: Executor,
    canary: int | None,
    quiet_json: bool,
) -> None:
    _interruptible()
    try:
        with progress(quiet=quiet_json) as tell:
            done = running.execute(
                engine,
                plan,
                room,
                on_progress=tell,
                reuse=reuse,
                executor=executor,
                canary_cells=canary,
            )
    except KeyboardInterrupt:
        err.print(f"\ninterrupted; {_go_on(plan)}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    _summary(done, plan, quiet_json=quiet_json)
    raise typer.Exit(0 if _share_done(done, plan) and not done.doubtful else 1)


def _interruptible() -> None:
    """A service manager's stop, or a closed terminal, is an interrupt like a reader's Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)


def _finished(run: Run) -> bool:
    """Whether every cell has its result, and no suspect is still to be retried."""
    return run.complete and run.closed_at is not None


def _share_done(run: Run, plan: Plan) -> bool:
    """Whether nothing is left to do here; what others owe is told where all is ingested."""
    return _finished(run) or (len(plan.share) < len(plan.cells) and run.closed_at is not None)


def _what_lacks(run: Run, plan: Plan) -> str:
    counted = f"incomplete: {run.received} of {run.expected} cells"
    if run.closed_at is not None:
        return f"{counted}; this share is done, the others are run elsewhere"
    logs = sorted(plan.folder.glob("shards/*.log"))
    ended = f"; pytest ended early, its log is {logs[-1]}" if logs else ""
    again = ", suspects to be retried" if run.complete else ""
    return f"{counted}{again}{ended}; {_go_on(plan)}"


def _go_on(plan: Plan) -> str:
    return f"go on with: export-matrix run --resume {plan.folder.name}"


def _summary(done: Run, plan: Plan, *, quiet_json: bool) -> None:
    if quiet_json:
        record = {
            "run": done.uid,
            "expected": done.expected,
            "received": done.received,
            "outcomes": dict(done.verdicts),
            "complete": _finished(done),
            "duration_s": done.duration_s,
            "audit": done.audit and asdict(done.audit),
            "schedule": done.schedule and asdict(done.schedule),
            "canary": done.canary and _canary(done.canary),
        }
        as_json(record)
        return
    out.print(summary_line(done.verdicts, done.duration_s or 0.0), markup=False, soft_wrap=True)
    if done.audit and (done.audit.carried or done.audit.audited):
        out.print(audit_line(done.audit), markup=False, soft_wrap=True)
        listed(f"  {plain(cell)}" for cell in done.audit.missed)
    if done.schedule:
        listed([f"schedule: {schedule_line(done.schedule)}"])
    if done.canary:
        listed([canary_line(done.canary)])
        listed(plain(f"  {id_}: {why}") for id_, why in done.canary.differ.items())
    if not _finished(done):
        out.print(_what_lacks(done, plan), markup=False, soft_wrap=True)
    url = f"{settings().dashboard_url}/runs/{done.id}"
    out.print(f"export-matrix serve   opens {url}", markup=False, soft_wrap=True)


def _canary(found: Canary) -> dict[str, object]:
    return {
        "compared": found.compared,
        "differ": list(found.differ),
        "why": dict(found.differ),
        "not_compared": dict(found.not_compared),
    }


def _share(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise SelectionError(f"--shard {text!r} is not I/N with 1 <= I <= N, such as 2/8")
    return int(match[1]), int(match[2])
