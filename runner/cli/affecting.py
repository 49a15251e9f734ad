"""`impact`: which cells a change of sources can affect."""

from typing import Annotated

import typer

from harness.zoo.base import PROVIDERS
from runner.cli.console import as_json, err, listed, out
from runner.cli.options import (
    DEFAULT_ZOO,
    INSTALLED,
    Backends,
    Database,
    Json,
    Variants,
    Words,
    ZooName,
)
from runner.core.plain import plain
from runner.core.sources.impact import Impact
from runner.revisions import resolve
from runner.settings import settings
from runner.steps.affecting import affected
from runner.steps.selecting import Asked
from runner.store.engine import ensure

_SHOWN = 12
_STEPS = 6


def register(app: typer.Typer) -> None:
    app.command("impact")(impact)


def impact(  # noqa: PLR0913  (one parameter per option)
    words: Words = None,
    *,
    before: Annotated[str, typer.Option("--from", help="The revision before the change.")],
    after: Annotated[str, typer.Option("--to", help="The revision with it.")] = INSTALLED,
    backend: Backends = None,
    variant: Variants = None,
    zoo: ZooName = DEFAULT_ZOO,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """List the cells that a change of sources can affect, and which definition is why."""
    asked = Asked(
        words=words or ("all",),
        backends=backend or (),
        variants=variant or (),
        zoo=PROVIDERS.get(zoo, zoo),
    )
    engine = ensure(database or settings().database_url)
    with err.status("reading the sources …"):
        revisions = [resolve(name, cache=settings().folder) for name in (before, after)]
        found = affected(engine, asked, *revisions, cache=settings().folder)
    if as_json_:
        as_json(_record(found, *(each.name for each in revisions)))
        return
    tell(found)


def tell(found: Impact) -> None:
    groups = sorted(found.by_definition().items(), key=lambda each: (-len(each[1]), each[0]))
    for definition, cells in groups:
        count = "1 cell" if len(cells) == 1 else f"{len(cells):,} cells"
        out.print(plain(f"{definition}  {count}"), markup=False, soft_wrap=True)
        if len(path := min((each.path for each in cells), key=len)) > 1:
            out.print(plain(f"  by {_short(path)}"), markup=False, soft_wrap=True)
        listed(plain(f"    {each.cell.id}") for each in cells[:_SHOWN])
        if len(cells) > _SHOWN:
            out.print(f"    … and {len(cells) - _SHOWN:,} more", markup=False)
    total = len(found.affected) + len(found.added) + found.unaffected
    share = f" ({len(found.affected) / total:.1%})" if total else ""
    err.print(
        f"{len(found.changed):,} definitions differ; of {total:,} cells {len(found.affected):,} "
        f"can be affected{share}, {len(found.added):,} are new",
        soft_wrap=True,
    )


def _short(path: tuple[str, ...]) -> str:
    """How a cell gets there, from what its model is made of; long ways without their middle."""
    steps = [step.removeprefix("transformers.") for step in path]
    if len(steps) > _STEPS:
        steps = [*steps[: _STEPS // 2], "…", *steps[-_STEPS // 2 :]]
    return " → ".join(steps)


def _record(found: Impact, before: str, after: str) -> dict[str, object]:
    return {
        "from": before,
        "to": after,
        "changed": found.changed,
        "unaffected": found.unaffected,
        "added": [cell.id for cell in found.added],
        "cells": [
            {"cell": each.cell.id, "because": each.because, "path": each.path}
            for each in found.affected
        ],
    }
