"""`db`: the schema, and what is kept."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from runner.cli.console import out
from runner.cli.options import Database
from runner.core.label import label
from runner.settings import settings
from runner.store import writes
from runner.store.engine import open_store, require_current
from runner.store.engine import upgrade as upgrade_store

app = typer.Typer(help="The database: schema, signatures, retention.", no_args_is_help=True)


@app.command()
def upgrade(*, database: Database = None) -> None:
    """Create the schema, or bring it to this version's."""
    upgrade_store(database or settings().database_url)
    out.print("the database is up to date")


@app.command()
def resign(*, database: Database = None) -> None:
    """Classify and sign all stored failures again, after rules or the signature changed."""
    engine = open_store(database or settings().database_url)
    require_current(engine)
    out.print(f"{writes.resign(engine, label)} results changed their kind or signature")


@app.command()
def prune(
    *,
    keep_days: Annotated[int, typer.Option(min=1, help="Runs younger than this stay.")],
    database: Database = None,
) -> None:
    """Remove old runs with their results."""
    engine = open_store(database or settings().database_url)
    require_current(engine)
    before = datetime.now(UTC) - timedelta(days=keep_days)
    out.print(f"{writes.prune(engine, before=before)} runs removed")
