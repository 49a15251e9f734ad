"""`cases`: what would run, and whether each case can be built."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from harness.cells import Cell
from harness.zoo.base import load_zoo
from runner.cli.console import as_json, err, listed
from runner.cli.options import (
    DEFAULT_ZOO,
    INSTALLED,
    Backends,
    CasePath,
    DynamicShapes,
    Json,
    RevisionName,
    Variants,
    Words,
    ZooName,
    asked_for,
)
from runner.core.plain import plain
from runner.revisions import resolve
from runner.settings import settings
from runner.steps.selecting import Asked, Build, Selected, builds, select


def register(app: typer.Typer) -> None:
    app.command("cases")(cases)


def cases(  # noqa: PLR0913  (one parameter per option)
    words: Words = None,
    *,
    backend: Backends = None,
    variant: Variants = None,
    revision: RevisionName = INSTALLED,
    zoo: ZooName = DEFAULT_ZOO,
    case: CasePath = None,
    dynamic_shapes: DynamicShapes = None,
    build: Annotated[bool, typer.Option(help="Build each case and say whether it works.")] = False,
    explain: Annotated[bool, typer.Option(help="Build, and say how each case is made.")] = False,
    as_json_: Json = False,
) -> None:
    """List what would run: cells, and with --build whether each case can be built."""
    asked = asked_for(words, backend, variant, zoo, case=case, shapes=dynamic_shapes)
    path = resolve(revision, cache=settings().folder).path
    selected = select(asked, revision_path=path)
    made = _made(selected, asked, path) if build or explain else {}
    records = [_record(cell, selected, load_zoo(asked.zoo).name, made) for cell in selected.cells]
    if as_json_:
        as_json(records)
        return
    listed(
        plain(f"{record['status']:5}  {record['id']}  {record['reason'] or ''}".rstrip())
        for record in records
    )
    if explain:
        as_json({name: dict(one.recipe) for name, one in made.items()})
    states = [record["status"] for record in records]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    err.print(f"{len(records)} cells: {counts}")


def _made(selected: Selected, asked: Asked, path: Path | None) -> dict[str, Build]:
    ready = (cell for cell in selected.cells if cell not in selected.skips)
    names = list(dict.fromkeys(f"{cell.model_type}/{cell.model_class}" for cell in ready))
    with err.status(f"building {len(names)} cases …"):
        return dict(builds(asked, names, folder=settings().folder, revision_path=path))


def _record(
    cell: Cell, selected: Selected, provider: str, made: Mapping[str, Build]
) -> dict[str, str | None]:
    """One entry of `cases --json`, a contract."""
    skip = selected.skips.get(cell)
    build = made.get(f"{cell.model_type}/{cell.model_class}", Build(status="ready"))
    return {
        "id": cell.id,
        "model_type": cell.model_type,
        "model_class": cell.model_class,
        "variant": cell.variant,
        "backend": cell.backend,
        "provider": provider,
        "status": "skip" if skip else build.status,
        "reason": skip or build.reason,
    }
