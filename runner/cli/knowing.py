"""`known`: how what is known to fail does, and which entries to remove."""

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import SelectionError
from runner.cli.console import as_json, listed
from runner.cli.options import Database, Json, opened
from runner.core.known import Entry, Standing
from runner.core.plain import plain
from runner.core.render import ENTRIES, QUIET
from runner.core.sections import STANDINGS
from runner.steps.knowing import DEBT_RUNS, Debt, Told, debts, known_in, newest_complete, skips_of
from runner.store import reads

_CELLS = 12


def register(app: typer.Typer) -> None:
    app.command("known")(known)


def known(  # noqa: PLR0913  (one parameter per option)
    run: Annotated[
        str | None,
        typer.Argument(
            help="Run: number, name, revision or `latest`. Default: the newest complete one.",
            show_default=False,
        ),
    ] = None,
    *,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Known failures of your own. Default: EXPORT_MATRIX_KNOWN_FAILURES.",
            show_default=False,
        ),
    ] = None,
    skips: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKOUT@REF",
            help="Skip lists of this commit of Transformers. Default: the run's own commit.",
            show_default=False,
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=0, help="Runs to tell the debt of.")] = DEBT_RUNS,
    fail_on: Annotated[
        list[Standing] | None,
        typer.Option(help="Exit 3 if any cell or entry stands like this; may be repeated."),
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """List known failures that are stale, expired or worse than they say, and their debt."""
    if skips is not None and "@" not in skips:
        raise SelectionError(f"--skips {skips!r} is no commit, such as path/to/transformers@main")
    engine = opened(database)
    asked = newest_complete(engine) if run is None else reads.run(engine, run)
    if asked is None:
        raise SelectionError("no complete run yet; make one with: export-matrix run")
    lists = skips_of(skips) if skips else None
    told = known_in(engine, asked, user=known, skips=lists)
    owed = list(debts(engine, user=known, skips=lists, limit=runs))
    if as_json_:
        as_json(_record(told, owed))
    else:
        _told(told, owed)
    stand = {*told.known.counts, *told.known.entry_counts}
    if stand & {*(fail_on or ())}:
        raise typer.Exit(3)


def _told(told: Told, owed: list[Debt]) -> None:
    entries, run = told.known.entries, told.run
    upstream = sum(entry.row.upstream for entry in entries)
    lists = f"the skip lists of {told.skips_from}" if told.skips_from else "no skip list is here"
    _say(f"run {run.id} ({run.uid}): Transformers {run.revision}, {run.received} cells")
    _say(f"{len(entries) - upstream} entries in files, {upstream} upstream ({lists})")
    for standing, count in told.known.counts.items():
        _say(f"{count} {'cell' if count == 1 else 'cells'}: {STANDINGS[standing]}")
    for standing, title in ENTRIES.items():
        found = told.known.standing(standing)
        if found:
            _say(f"\n{len(found)} {'entry' if len(found) == 1 else 'entries'} {title}")
        for entry in found if standing not in QUIET else ():
            _listing(entry)
    if owed:
        _say("\ndebt of the newest complete runs, by today's entries and each commit's own lists")
    for each in owed:
        _say(
            f"  run {each.run.id}  {each.run.revision}  {each.run.started_at:%Y-%m-%d}  "
            f"{each.entries} entries mean {each.cells} of {each.run.expected} cells, "
            f"{each.better} better"
        )


def _listing(entry: Entry) -> None:
    _say(f"  {entry.row.place}  {entry.advice or entry.row.reason}")
    for cell in entry.cells[:_CELLS]:
        _say(f"    {cell.found.cell.id}  {cell.why}")
    if len(entry.cells) > _CELLS:
        _say(f"    and {len(entry.cells) - _CELLS} more")
    if not entry.cells:
        _say(f"    {entry.row.cells}")


def _say(text: str) -> None:
    listed([plain(text)])


def _record(told: Told, owed: list[Debt]) -> dict[str, object]:
    """The contract of `known --json`."""
    return {
        "run": {"id": told.run.id, "run": told.run.uid, "revision": told.run.revision},
        "skips_from": told.skips_from,
        "counts": told.known.counts,
        "entry_counts": told.known.entry_counts,
        "stale": [entry.row.place for entry in told.known.entries if entry.stale],
        "entries": [entry.to_json() for entry in told.known.entries],
        "debt": [
            {
                "run": each.run.id,
                "revision": each.run.revision,
                "entries": each.entries,
                "cells": each.cells,
                "better": each.better,
                "expected": each.run.expected,
            }
            for each in owed
        ],
    }
