"""`work`: takes queued work; pull requests where GitHub is set up, nights and webhooks anywhere."""

from typing import Annotated

import typer

from harness.isolation.machine import usual_workers
from harness.isolation.processes import hide
from runner.cli.botting import bench_here, steps
from runner.cli.console import err, interruptible, out
from runner.cli.options import Database, Workers
from runner.core.nights import HERE, stack_named
from runner.settings import settings
from runner.steps.elsewhere import Sharing, shard_kind
from runner.steps.running import Room
from runner.steps.subscribing import handlers as telling
from runner.steps.working import Handler, name_of_worker
from runner.steps.working import work as work_on
from runner.store.engine import ensure


def register(app: typer.Typer) -> None:
    app.command("work")(work)


def work(
    *,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when there is no work, instead of waiting.")
    ] = False,
    stack: Annotated[
        str, typer.Option(help="The stack that this is, of which shares of nights are taken.")
    ] = HERE,
    workers: Workers = None,
    database: Database = None,
) -> None:
    """Take queued work, such as pull requests, and do it; several may run at once."""
    engine = ensure(database or settings().database_url)
    room = Room(workers=workers or usual_workers(), memory_mib=settings().memory_budget)
    sharing = Sharing(
        engine=engine, folder=settings().folder, room=room, checkout=settings().checkout
    )
    handlers: dict[str, Handler] = {shard_kind(stack_named(stack)): sharing}
    handlers |= telling(engine, settings())
    if settings().repository:
        handlers |= steps().handlers_of(bench_here(engine, workers=workers), settings())
    interruptible()
    hide()  # from the code that it runs
    try:
        done = work_on(engine, handlers, worker=name_of_worker(), until_idle=until_idle)
    except KeyboardInterrupt:
        err.print("interrupted; what was being done is taken again")
        raise typer.Exit(1) from None
    out.print(f"{done} pieces of work done")
