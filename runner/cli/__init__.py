"""The command line: `export-matrix`. Each command reads its options, calls `steps`, and prints.

Exit codes: 0 done, 1 incomplete (`run`, `confirm`, `diff --fail-on`) or the failure is there
(`reproduce` scripts), 2 bad usage or bad input, 3 `--fail-on` matched.
"""

import sys
from typing import NoReturn

import typer

from harness.errors import MatrixError
from runner.cli import (
    affecting,
    bisecting,
    botting,
    confirming,
    database,
    knowing,
    listing,
    nightly,
    planning,
    reporting,
    reproducing,
    running,
    selfchecking,
    serving,
    subscribing,
    telling,
    triaging,
    unlocking,
    uploading,
    workflows,
    working,
)
from runner.cli.console import err
from runner.core.plain import plain

app = typer.Typer(
    name="export-matrix",
    help="Which Transformers model exports work, what broke, why, and with what else.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
listing.register(app)
running.register(app)
planning.register(app)
telling.register(app)
reporting.register(app)
nightly.register(app)
confirming.register(app)
selfchecking.register(app)
reproducing.register(app)
unlocking.register(app)
triaging.register(app)
affecting.register(app)
bisecting.register(app)
knowing.register(app)
serving.register(app)
botting.register(app)
workflows.register(botting.app)
working.register(app)
app.command("upload")(uploading.upload)
app.add_typer(uploading.app, name="token")
app.add_typer(subscribing.app, name="subscribe")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run a command; what a user can put right is one line on stderr and exit code 2."""
    try:
        app()
    except MatrixError as error:
        _refuse(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        # A name that is too long, a folder that is closed, a disk that is full.
        _refuse(f"{error.filename}: {error.strerror}")


def _refuse(why: str) -> NoReturn:
    err.print("error:", style="bold red", end=" ")
    err.print(plain(why), markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
