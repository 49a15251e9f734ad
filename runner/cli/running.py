"""`run`: the command that makes results."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import SelectionError
from runner.cli.console import err, interruptible, progress
from runner.cli.ending import go_on, summary
from runner.cli.executors import ExecutorName, ExecutorOption, RayAddress, chosen_executor
from runner.cli.options import (
    DEFAULT_ZOO,
    INSTALLED,
    Backends,
    BranchName,
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
    Workers,
    ZooName,
    asked_for,
    limit_rules,
    own_limits,
)
from runner.cli.planning import what_is_asked
from runner.core.canary import CELLS as CANARY_CELLS
from runner.core.limits import LimitRule
from runner.core.plan import costs_of
from runner.core.reuse import AUDIT_PERCENT
from runner.core.runs import Run
from runner.execute.shard import Executor
from runner.revisions import resolve
from runner.settings import settings
from runner.steps import running
from runner.steps.planfiles import read_plan, require_stack
from runner.steps.plans import Plan
from runner.steps.reusing import Reuse
from runner.steps.selecting import Asked, select
from runner.store.engine import Engine, ensure

_COMMIT = re.compile("[0-9a-f]{12}")
_PLANNED = (
    "a plan says what is run: beside --plan there can be no SELECT, and none of --backend, "
    "--variant, --case, --dynamic-shapes, --branch, --name and --resume"
)


def register(app: typer.Typer) -> None:
    app.command("run")(run)


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
    branch: BranchName = None,
    workers: Workers = None,
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
        if any([words, backend, variant, case, dynamic_shapes, branch, name, resume]):
            raise SelectionError(_PLANNED)
        plan = _given(engine, plan_file, revision, shard=_share(shard), own=own)
    elif resume is None:
        asked = asked_for(words, backend, variant, zoo, case=case, shapes=dynamic_shapes)
        rules = limit_rules(limits, time_s=time_limit, memory_mib=memory_limit)
        named = name, branch
        plan = _planned(engine, asked, revision, named, shard=_share(shard), limits=rules)
    else:
        plan = running.resume(engine, resume, folder=settings().folder)
        plan = replace(plan, limits=(*own, *plan.limits))
    err.print(f"run {plan.uid}: {len(plan.share)} of {len(plan.cells)} cells", markup=False)
    carrying = None
    # A share is ingested elsewhere: without reuse, nobody would ask what is remembered of it here.
    if reuse or plan_file is None:
        carrying = Reuse(engine, plan, cache=settings().folder, percent=audit if reuse else None)
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
    named: tuple[str | None, str | None],
    *,
    shard: tuple[int, int],
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
        drafted=what_is_asked(asked, *named),
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
    interruptible()
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
        err.print(f"\ninterrupted; {go_on(plan)}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    summary(done, plan, quiet_json=quiet_json)
    raise typer.Exit(0 if _share_done(done, plan) and not done.doubtful else 1)


def _share_done(run: Run, plan: Plan) -> bool:
    """Whether nothing is left to do here; what others owe is told where all is ingested."""
    return run.complete or (len(plan.share) < len(plan.cells) and run.closed_at is not None)


def _share(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise SelectionError(f"--shard {text!r} is not I/N with 1 <= I <= N, such as 2/8")
    return int(match[1]), int(match[2])
