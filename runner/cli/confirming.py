"""`confirm`: executes the apparent losses of a diff again, on both sides, and tells the diff."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from harness.isolation.machine import usual_workers
from harness.results import Result
from runner.cli.console import err, interruptible
from runner.cli.options import (
    Database,
    LimitsFile,
    MemoryBudget,
    TimeLimit,
    Workers,
    limit_rules,
    opened,
)
from runner.cli.telling import Checkout, FailOn, Format, FormatOption, Onto, Runs, tell, two
from runner.core.confirm import ENOUGH
from runner.core.plain import plain
from runner.settings import settings
from runner.steps.comparing import compare_runs
from runner.steps.confirming import Confirming, OnExecution
from runner.steps.running import Room


def register(app: typer.Typer) -> None:
    app.command("confirm")(confirm)


def confirm(  # noqa: PLR0913  (one parameter per option)
    runs: Runs,
    *,
    executions: Annotated[
        int, typer.Option(min=ENOUGH, help="Executions of each cell on each side.")
    ] = ENOUGH,
    checkout: Checkout = None,
    onto: Onto = None,
    workers: Workers = None,
    limits: LimitsFile = None,
    time_limit: TimeLimit = None,
    memory_budget: MemoryBudget = None,
    format_: FormatOption = Format.TEXT,
    fail_on: FailOn = None,
    database: Database = None,
) -> None:
    """Execute what looks lost again, on head and on baseline; then tell the diff. It can go on."""
    engine = opened(database)
    baseline, head = two(runs)
    found = compare_runs(engine, baseline, head, checkout=checkout, onto=onto)
    confirming = Confirming(
        engine=engine,
        folder=settings().folder,
        limits=limit_rules(limits, time_s=time_limit),
        room=Room(
            workers=workers or usual_workers(),
            memory_mib=memory_budget or settings().memory_budget,
        ),
        enough=executions,
        checkout=checkout or settings().checkout,
    )
    command = f"confirm {found.baseline.id} {found.head.id}"
    interruptible()
    try:
        with _progress(confirming.lack(found), quiet=format_ is Format.JSON) as tell_one:
            replace(confirming, on_execution=tell_one).run(found)
    except KeyboardInterrupt:
        err.print(f"\ninterrupted; go on with: export-matrix {command}", markup=False)
        raise typer.Exit(1) from None
    again = compare_runs(engine, str(found.baseline.id), str(found.head.id))
    tell(replace(again, chosen=found.chosen), format_, fail_on or ())


@contextmanager
def _progress(lack: int, *, quiet: bool) -> Iterator[OnExecution]:
    """A bar on a terminal, a line per execution elsewhere, nothing when quiet."""
    if quiet or not lack:
        yield lambda side, result: None
    elif err.is_interactive and err.file.isatty():
        columns = TextColumn("executed again"), BarColumn(), MofNCompleteColumn()
        with Bar(*columns, console=err) as bar:
            task = bar.add_task("", total=lack)
            yield lambda side, result: bar.advance(task)
    else:
        yield _told


def _told(side: str, result: Result) -> None:
    err.print(plain(f"{side}: {result.outcome} {result.cell.id}"), markup=False, soft_wrap=True)
