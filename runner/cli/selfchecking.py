"""`selfcheck`: whether diffs tell what was broken, and nothing else."""

from typing import Annotated

import typer

from harness.isolation.machine import usual_workers
from runner.cli.console import as_json, err, interruptible, listed, progress
from runner.cli.options import (
    INSTALLED,
    Database,
    Json,
    MemoryBudget,
    RevisionName,
    Workers,
    limit_rules,
)
from runner.core.plain import plain
from runner.core.selfcheck import Selfcheck, line
from runner.revisions import resolve
from runner.settings import settings
from runner.steps.running import Room
from runner.steps.selfchecking import ROUNDS, Selfchecking, real_world, toy_world
from runner.store.engine import ensure


def register(app: typer.Typer) -> None:
    app.command("selfcheck")(selfcheck)


def selfcheck(  # noqa: PLR0913  (one parameter per option)
    *,
    revision: RevisionName = INSTALLED,
    toys: Annotated[
        bool, typer.Option("--toys", help="On a dozen toys instead of Transformers: a minute.")
    ] = False,
    rounds: Annotated[
        int, typer.Option(min=2, help="Runs of the revision, to compare with each other.")
    ] = ROUNDS,
    workers: Workers = None,
    memory_budget: MemoryBudget = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Compare a revision with itself and with planted breakages; exit 1 if a diff is wrong."""
    engine = ensure(database or settings().database_url)
    folder = settings().folder / "selfcheck"
    world = toy_world(folder) if toys else real_world(resolve(revision, cache=settings().folder))
    room = Room(
        workers=workers or usual_workers(),
        memory_mib=memory_budget or settings().memory_budget,
    )
    interruptible()
    try:
        with progress(quiet=as_json_) as tell:
            found = Selfchecking(
                world=world,
                folder=folder,
                limits=limit_rules(),
                room=room,
                rounds=rounds,
                on_progress=tell,
                tell=lambda doing: None if as_json_ else err.print(plain(doing), markup=False),
            ).run(engine)
    except KeyboardInterrupt:
        err.print("\ninterrupted; go on with the same command", markup=False)
        raise typer.Exit(1) from None
    if as_json_:
        as_json(found.to_record())
    else:
        listed(_lines(found))
    raise typer.Exit(0 if found.passed else 1)


def _lines(found: Selfcheck) -> list[str]:
    rows = [("planted", "cells", "false alarms", "misses")]
    told: list[str] = []
    for each in found.figures:
        wrong = [f"    {plain(one)}" for one in (*each.false_alarms, *each.misses)]
        counts = (str(each.cells), str(len(each.false_alarms)), str(len(each.misses)))
        rows.append((each.planted, *counts))
        told += [f"{each.planted}:", *wrong] if wrong else []
    width = max(len(row[0]) for row in rows)
    table = [f"{name:{width}}  {n:>5}  {a:>12}  {m:>6}" for name, n, a, m in rows]
    return [*table, *told, line(found)]
