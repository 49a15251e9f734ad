"""`reproduce`: the script that shows a failure without this project, of a cell or of a group."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cells import Cell
from harness.errors import MatrixError, SelectionError
from harness.isolation.host import handed_on
from harness.isolation.machine import memory_bytes
from harness.isolation.messages import Limits
from harness.zoo.base import PROVIDERS
from runner.cli.console import as_json, err, interruptible, out
from runner.cli.options import DEFAULT_ZOO, INSTALLED, Database, Json, ZooName, limit_rules, opened
from runner.core.limits import limited
from runner.core.plain import plain
from runner.core.shrink import Step
from runner.revisions import resolve
from runner.settings import settings
from runner.steps.choosing import choose
from runner.steps.grouped import ISSUE, SCRIPT, reproduced
from runner.steps.reproducing import Reproduction, reproduce
from runner.steps.searching import Place, Wanted


def register(app: typer.Typer) -> None:
    app.command("reproduce")(reproduce_)


def reproduce_(  # noqa: PLR0913  (one parameter per option)
    failure: Annotated[
        str,
        typer.Argument(
            metavar="CELL|GROUP",
            help="A cell id; or a failure group: its signature, or its place in the list of the "
            "newest run's groups.",
        ),
    ],
    *,
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Of a cell too the minimal script, as of a group.")
    ] = False,
    budget: Annotated[
        float, typer.Option(min=0, help="Seconds that the search for less may take.")
    ] = 300,
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            "-r",
            help="As for `run`. Default: that of the group's newest run, or what is installed.",
            show_default=False,
        ),
    ] = None,
    zoo: ZooName = DEFAULT_ZOO,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Where to write: the script of a cell is a file; what is minimal a folder, with "
            f"{SCRIPT} and {ISSUE}.",
        ),
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Print a stand-alone Python script that shows a failure without this project.

    Of a failure group, or with --minimal: at most 60 lines, of its smallest case, proven in a
    process of its own, with an issue's text. Exit code 1 if the script shows something else.
    """
    interruptible()
    zoo = PROVIDERS.get(zoo, zoo)
    if "/" in failure and not minimal:
        _whole(failure, revision or INSTALLED, zoo, output)
        return
    if "/" in failure:
        wanted, usual = Wanted(cell=Cell.parse(failure), zoo=zoo), INSTALLED
    else:
        engine = opened(database)
        wanted, run = choose(engine, failure)
        usual = run.revision
    terms = limited(wanted.cell, limit_rules())
    place = Place(
        revision=resolve(revision or usual, cache=settings().folder),
        limits=Limits.of(terms),
        budget_s=budget,
        memory_mib=memory_bytes() >> 20,
    )
    err.print(plain(f"reproducing {wanted.cell.id}"), markup=False, soft_wrap=True)
    found = reproduce(wanted, place, _quiet if as_json_ else _step)
    kept = None if "/" in failure or not found.same else reproduced(found.signature)
    for folder in filter(None, (output, kept)):
        _write(found, folder)
    if as_json_:
        as_json(found.to_json())
    elif output is None:
        out.print(found.script, markup=False, soft_wrap=True, end="")
    _tell(found, output)
    raise typer.Exit(0 if found.same else 1)


def _whole(cell: str, revision: str, zoo: str, output: Path | None) -> None:
    """The script of a cell as the zoo makes it, weights and all."""
    Cell.parse(cell)
    path = resolve(revision, cache=settings().folder).path
    made = subprocess.run(  # noqa: S603  (our own module, no shell)
        [sys.executable, "-m", "harness.reproduce", cell, "--zoo", zoo],
        env=handed_on(path),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        last = (made.stderr.strip().splitlines() or ["no message"])[-1]
        raise SelectionError(last.removeprefix("error: "))
    if output is None:
        out.print(made.stdout, markup=False, soft_wrap=True, end="")
    else:
        output.write_text(made.stdout)
        err.print(f"wrote {output}; run it with: python {output}", markup=False)


def _quiet(step: Step) -> None:
    """JSON tells the steps at the end."""


def _step(step: Step) -> None:
    sign = "the same" if step.held else "otherwise"
    err.print(
        plain(f"  {step.seconds:6.1f} s  {sign:9}  {step.what}"), markup=False, soft_wrap=True
    )


def _write(found: Reproduction, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise MatrixError(f"{folder} is a file; a minimal script is written into a folder")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_text(found.script)
    (folder / ISSUE).write_text(f"# {found.issue.title}\n\n{found.issue.body}\n")


def _tell(found: Reproduction, folder: Path | None) -> None:
    proof = "shows the same signature" if found.same else "does NOT show the same signature"
    told = [
        f"{found.lines} lines, after {len(found.steps)} trials in {found.seconds:.0f} s",
        f"run by itself, the script {proof} ({found.signature})",
        *found.notes,
        f"for {found.issue.repository}: {found.issue.title}",
    ]
    if folder is not None:
        told.append(f"wrote {folder / SCRIPT} and {folder / ISSUE}")
    for line in told:
        err.print(plain(line), markup=False, soft_wrap=True)
