"""`cases`: what would run, and whether each case can be built."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
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
    if made:
        skipped = {f"{c.model_type}/{c.model_class}": why for c, why in selected.skips.items()}
        listed(plain(line) for line in _table(skipped, made))
    states = [record["status"] for record in records]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    err.print(f"{len(records)} cells: {counts}")


def _table(skipped: Mapping[str, str], made: Mapping[str, Build]) -> Iterator[str]:
    """How many classes build, why the others don't, and what building took."""
    ready = [build for build in made.values() if build.status == "ready"]
    yield f"\n{len(skipped) + len(made)} model classes: {len(ready)} build and run"
    others = [("skip", why) for why in skipped.values()]
    others += [(b.status, b.reason or "") for b in made.values() if b.status != "ready"]
    for (status, why), count in Counter(others).most_common():
        yield f"{count:5}  {status:5}  {why}"
    if sizes := [_number(build.recipe.get("parameters")) for build in ready]:
        yield f"parameters: median {median(sizes):,.0f}, at most {max(sizes):,}"
    if seconds := [build.seconds for build in made.values() if build.seconds is not None]:
        told = f"median {median(seconds):.2f} s, at most {max(seconds):.1f} s"
        yield f"{len(seconds)} searched for in {sum(seconds):.0f} s: {told}"
    if peaks := [build.peak_bytes for build in made.values() if build.peak_bytes is not None]:
        yield f"memory: median {int(median(peaks)) >> 20} MiB, at most {max(peaks) >> 20} MiB"


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


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
