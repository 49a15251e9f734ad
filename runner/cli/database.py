"""`db`: the schema, and what is kept."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.progress import Progress

from runner.cli.console import as_json, err, listed, out
from runner.cli.options import Database, Json, opened
from runner.core.label import label
from runner.settings import settings
from runner.store import resigning, writes
from runner.store.engine import open_store
from runner.store.engine import upgrade as upgrade_store

app = typer.Typer(help="The database: schema, signatures, retention.", no_args_is_help=True)


@app.command()
def upgrade(*, database: Database = None) -> None:
    """Create the schema, or bring it to this version's."""
    url = database or settings().database_url
    upgrade_store(url)
    out.print("the database is up to date")
    if old := resigning.outdated(open_store(url)):
        out.print(
            f"{old} failure groups were named by another version; run: export-matrix db resign"
        )


@app.command()
def resign(*, as_json_: Json = False, database: Database = None) -> None:
    """Classify and sign all stored failures again, after rules or the signature changed.

    A group goes on, with all that was said of it, under the signature that most of its results
    have now. Interrupted, it can be run again; while runs are written as well.
    """
    engine = opened(database)
    # Read once if nothing changes, else twice.
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        reading = bar.add_task("failures read", total=2 * resigning.failures(engine))
        found = resigning.resign(engine, label, on_read=lambda read: bar.advance(reading, read))
    groups = found.groups
    if as_json_:
        told = {"renamed": groups.renamed, "split": groups.split, "merged": groups.merged}
        as_json({"moved": found.moved, **told})
        return
    out.print(
        f"{found.moved} results changed their kind or signature; of the groups, "
        f"{len(groups.renamed)} renamed, {len(groups.split)} split, {len(groups.merged)} merged"
    )
    listed(f"split: {old} → {', '.join(new)}" for old, new in groups.split.items())
    listed(f"merged: {', '.join(old)} → {new}" for new, old in groups.merged.items())


@app.command()
def prune(
    *,
    keep_days: Annotated[int, typer.Option(min=1, help="Runs younger than this stay.")],
    database: Database = None,
) -> None:
    """Remove old runs with their results."""
    engine = opened(database)
    before = datetime.now(UTC) - timedelta(days=keep_days)
    out.print(f"{writes.prune(engine, before=before)} runs removed")
