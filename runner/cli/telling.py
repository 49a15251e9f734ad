"""`diff` and `classify`: the commands that say what results mean."""

import sys
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import MatrixError, SelectionError
from runner.cli.console import as_json, err, listed
from runner.cli.options import Database, Json, opened
from runner.core.change import Change
from runner.core.diff import Diff
from runner.core.label import label_text
from runner.core.plain import plain
from runner.core.record import record_of
from runner.core.render import as_markdown, as_text
from runner.steps.comparing import compare_runs


class Format(StrEnum):
    """How a diff is told."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="[BASELINE] HEAD",
        help="Runs: number, name, revision or `latest`. Without a baseline it is the newest "
        "complete run at the head's merge base, or nearest before it; else the last one before.",
        show_default=False,
    ),
]
Checkout = Annotated[
    Path | None,
    typer.Option(
        help="Clone of Transformers that has the runs' commits. Default: EXPORT_MATRIX_CHECKOUT.",
        show_default=False,
    ),
]
Onto = Annotated[
    str | None,
    typer.Option(
        help="Main branch for the merge base. Default: the clone's origin, else main.",
        show_default=False,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to tell it.")]
FailOn = Annotated[
    list[Change] | None,
    typer.Option(
        help="Exit 3 if any cell changed like this, unless known or set aside by `confirm`, and 1"
        " if none did but a run is incomplete or in doubt; may be repeated.",
    ),
]


def register(app: typer.Typer) -> None:
    app.command("diff")(diff)
    app.command("classify")(classify)


def diff(  # noqa: PLR0913  (one parameter per option)
    runs: Runs,
    *,
    checkout: Checkout = None,
    onto: Onto = None,
    format_: FormatOption = Format.TEXT,
    fail_on: FailOn = None,
    database: Database = None,
) -> None:
    """Compare two runs, cell by cell."""
    engine = opened(database)
    baseline, head = two(runs)
    found = compare_runs(engine, baseline, head, checkout=checkout, onto=onto)
    tell(found, format_, fail_on or ())


def two(runs: Sequence[str]) -> tuple[str | None, str]:
    """Baseline and head; the first may be left out."""
    if len(runs) > 2:
        raise SelectionError(f"two runs are compared, and here are {len(runs)}")
    return (runs[0] if len(runs) == 2 else None), runs[-1]


def tell(found: Diff, format_: Format, fail_on: Collection[Change]) -> None:
    """Print a diff; the exit code says whether a change came that was not to come."""
    if format_ is Format.JSON:
        as_json(record_of(found))
    else:
        told = as_markdown(found) if format_ is Format.MARKDOWN else as_text(found)
        listed(plain(told).splitlines())
    if any(item.change in fail_on and not item.elsewhere for item in found.cells):
        raise typer.Exit(3)
    if fail_on and not found.trusted:
        raise typer.Exit(1)


def classify(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Tracebacks or pytest logs; stdin without any.")
    ] = None,
    *,
    as_json_: Json = False,
) -> None:
    """Say the kind, owner and signature of each failure in a raw traceback or a pytest log."""
    found = [
        {"file": name} | record
        for name, text in _texts(files)
        for record in (item.to_json() for item in label_text(text))
    ]
    if as_json_:
        as_json(found)
        return
    if not found:
        err.print("no failure found in it")
    for record in found:
        listed([plain(f"{record['kind']}  ({record['owner']})  {record['signature']}")])
        listed([plain(f"    {record['title']}")])


def _texts(files: list[Path] | None) -> list[tuple[str, str]]:
    if not files:
        return [("-", sys.stdin.read())]
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        raise MatrixError(f"no such file: {', '.join(absent)}")
    return [(str(file), file.read_text(errors="replace")) for file in files]
