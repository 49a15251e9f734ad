"""`bisect`: the first revision at which a cell is bad."""

from dataclasses import asdict
from typing import Annotated

import typer

from harness.cells import Cell
from harness.zoo.base import PROVIDERS
from runner.cli.console import as_json, err, out
from runner.cli.options import DEFAULT_ZOO, Database, Json, ZooName, limit_rules
from runner.core.bisect import Answer, Bisected, Try
from runner.core.plain import plain
from runner.revisions.lines import line
from runner.settings import settings
from runner.steps.bisecting import Bisection
from runner.steps.selecting import Asked
from runner.store.engine import ensure


def register(app: typer.Typer) -> None:
    app.command("bisect")(bisect)


def bisect(  # noqa: PLR0913  (one parameter per option)
    cell: Annotated[str, typer.Argument(metavar="CELL", help="A cell's id.")],
    *,
    good: Annotated[str, typer.Option(help="A revision at which it passes.")],
    bad: Annotated[str, typer.Option(help="A later one at which it fails, of the same kind.")],
    zoo: ZooName = DEFAULT_ZOO,
    time_limit: Annotated[float | None, typer.Option(help="Seconds that a probe may take.")] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Find the first commit (or release) at which a cell fails; asked again, it goes on."""
    found = Bisection(
        engine=ensure(database or settings().database_url),
        asked=Asked(zoo=PROVIDERS.get(zoo, zoo)),
        cell=Cell.parse(cell),
        line=line(good, bad),
        limits=limit_rules(time_s=time_limit),
        folder=settings().folder,
    ).run(_answered)
    if as_json_:
        as_json(asdict(found) | {"cell": found.cell.id, "certain": found.certain})
    else:
        _tell(found)
    raise typer.Exit(0 if found.certain else 1)


def _answered(step: Try, answer: Answer, why: str) -> None:
    said = f"{step.revision} {answer} ({why}); {step.left} left, about {step.steps} more"
    err.print(plain(said), markup=False, soft_wrap=True)


def _tell(found: Bisected) -> None:
    if found.certain:
        out.print(plain(f"first bad: {found.told[0]}"), markup=False, soft_wrap=True)
    else:
        out.print("first bad is one of these; those before the last can't tell:", markup=False)
        for each in found.told:
            out.print(plain(f"  {each}"), markup=False, soft_wrap=True)
    if found.title:
        out.print(plain(f"it fails with: {found.title}"), markup=False, soft_wrap=True)
