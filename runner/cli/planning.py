"""`plan` and `ingest`: a run that several machines run shares of, and what comes back of them."""

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from harness.errors import MatrixError
from runner.cli.console import as_json, err, listed, out
from runner.cli.options import (
    DEFAULT_ZOO,
    INSTALLED,
    Backends,
    BranchName,
    Database,
    DynamicShapes,
    Files,
    Json,
    LimitsFile,
    MemoryLimit,
    RevisionName,
    TimeLimit,
    Variants,
    Words,
    ZooName,
    asked_for,
    limit_rules,
)
from runner.core.label import label
from runner.core.plain import plain
from runner.core.runs import Run
from runner.revisions import resolve
from runner.settings import settings
from runner.steps import running
from runner.steps.junitfiles import ingest_junit
from runner.steps.planfiles import close_if_complete, expect, read_plan, spell_plan, write_plan
from runner.steps.plans import Plan
from runner.steps.receiving import receive_file
from runner.steps.selecting import Asked, select
from runner.store import writes
from runner.store.engine import Engine, ensure
from runner.store.writes import Ingested


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)
    app.command("ingest")(ingest)


def plan(  # noqa: PLR0913  (one parameter per option)
    words: Words = None,
    *,
    backend: Backends = None,
    variant: Variants = None,
    revision: RevisionName = INSTALLED,
    zoo: ZooName = DEFAULT_ZOO,
    dynamic_shapes: DynamicShapes = None,
    branch: BranchName = None,
    name: Annotated[
        str | None,
        typer.Option(help="Unique name of the run. Default: made from time and revision."),
    ] = None,
    limits: LimitsFile = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it here. Default: print it.")
    ] = None,
    database: Database = None,
) -> None:
    """Plan a run for several machines; each runs a share of it: `run --plan FILE --shard I/N`."""
    engine = ensure(database or settings().database_url)
    rules = limit_rules(limits, time_s=time_limit, memory_mib=memory_limit)
    asked = asked_for(words, backend, variant, zoo, shapes=dynamic_shapes)
    with err.status("finding the model classes …"):
        resolved = resolve(revision, cache=settings().folder)
        selected = select(asked, revision_path=resolved.path)
    texts = what_is_asked(asked, name, branch)
    drafted = running.draft(
        engine, selected, resolved, folder=settings().folder, drafted=texts, limits=rules
    )
    if output is None:
        out.print(spell_plan(drafted), markup=False, soft_wrap=True, end="")
        return
    try:
        write_plan(drafted, output)
    except OSError as error:
        raise MatrixError(f"can't write {output}: {error.strerror}") from None
    err.print(
        f"run {drafted.uid}: {len(drafted.cells)} cells; a machine runs its share with: "
        f"export-matrix run --plan {output} --shard I/N",
        markup=False,
        soft_wrap=True,
    )


def what_is_asked(asked: Asked, name: str | None, branch: str | None) -> dict[str, str]:
    """The texts that a plan is drafted from."""
    drafted = {"selection": asked.text, "zoo": asked.zoo} | ({"uid": name} if name else {})
    if branch:
        drafted["branch"] = branch
    if asked.shapes:
        drafted["dynamic_shapes"] = asked.shapes.read_text(encoding="utf-8")
    return drafted


def ingest(  # noqa: PLR0913  (one parameter per option)
    files: Files,
    *,
    checked: Annotated[
        bool,
        typer.Option(
            help="Believe only what the one plan expects: the results were made by others' code."
        ),
    ] = False,
    run: Annotated[
        str | None, typer.Option(help="Of JUnit XML: the run that its results are of.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Of JUnit XML: the Transformers that was tested.")
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Add shard results made elsewhere, and the plans of their runs; repeating changes nothing."""
    engine = ensure(database or settings().database_url)
    plans = [read_plan(file, folder=settings().folder) for file in files if _is_plan(file)]
    for plan in plans:
        expect(engine, plan)
    told = []
    for file in files:
        if _is_plan(file):
            continue
        source = _Junit(run, revision) if file.suffix == ".xml" else None
        believed = _the_one(plans) if checked else None
        done, refused = _ingested(engine, file, believed, source)
        told.append({"file": str(file), "new": done.new, "seen": done.seen, "refused": refused})
        if not as_json_:
            out.print(f"{file}: {done.new} new results, {done.seen} known", markup=False)
            listed(plain(f"  {count} lines left out: {why}") for why, count in refused.items())
    runs = [close_if_complete(engine, plan) for plan in plans]
    if as_json_:
        as_json(told)
    else:
        listed(plain(_how_far(run)) for run in runs)
    raise typer.Exit(0 if all(run.complete for run in runs) else 1)


class _Junit(NamedTuple):
    """Of what run JUnit XML is, where it doesn't say so itself."""

    run: str | None
    revision: str | None


def _ingested(
    engine: Engine, file: Path, plan: Plan | None, junit: _Junit | None
) -> tuple[Ingested, dict[str, int]]:
    """What was taken of a file, and how many lines (or tests) were not and why."""
    if junit is not None:
        if plan is not None:
            raise MatrixError(f"{file}: --checked is for result files (*.jsonl), not for JUnit XML")
        done, others = ingest_junit(engine, file, run=junit.run, revision=junit.revision)
        return done, {"a test that names no cell": others} if others else {}
    if plan is None:
        return writes.ingest_file(engine, file, label=label), {}
    received = receive_file(engine, file, plan)
    return received.ingested, dict(received.refused)


def _the_one(plans: list[Plan]) -> Plan:
    if len(plans) != 1:
        raise MatrixError(
            "--checked needs the plan that the results are of: ingest PLAN.json FILE…"
        )
    return plans[0]


def _how_far(run: Run) -> str:
    lacks = "" if run.complete else "incomplete: "
    return f"run {run.uid}: {lacks}{run.received} of {run.expected} cells"


def _is_plan(file: Path) -> bool:
    return file.suffix == ".json"
