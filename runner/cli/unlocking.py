"""`unlock`: the failure groups of a run, and which to fix first."""

from dataclasses import asdict
from typing import Annotated

import typer

from harness.isolation.machine import memory_bytes
from harness.isolation.messages import Limits
from runner.cli.console import as_json, err, interruptible, listed
from runner.cli.options import Database, Json, opened
from runner.core.drafts import Draft
from runner.core.plain import plain
from runner.core.runs import FailureGroup, Run
from runner.core.unlock import Drafts, Unlock
from runner.settings import settings
from runner.steps.explaining import explain_groups
from runner.steps.unlocking import Drafting, stopped_at_capture
from runner.store import reads


def register(app: typer.Typer) -> None:
    app.command("unlock")(unlock)


def unlock(  # noqa: PLR0913  (one parameter per option)
    run: Annotated[str, typer.Argument(help="Run: number, name, revision or `latest`.")] = "latest",
    *,
    draft: Annotated[
        bool,
        typer.Option(
            "--draft",
            help="Go on behind the first error of cells that fail at capture, by draft exports; "
            "what was drafted is remembered.",
        ),
    ] = False,
    budget: Annotated[float, typer.Option(min=0, help="Seconds that all drafts may take.")] = 600,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that one may take.")] = 120,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """List the failure groups of a run: how many cells a fix turns green, and what to fix first."""
    engine = opened(database)
    found = reads.run(engine, run)
    verdicts = reads.verdicts(engine, found.id)
    drafting = Drafting(
        engine=engine,
        run=found,
        folder=settings().folder,
        budget_s=budget,
        limits=Limits(time_s=time_limit),
        memory_mib=memory_bytes() >> 20,
    )
    if draft:
        interruptible()
        drafting.go_on(verdicts, _quiet if as_json_ else _drafted)
    drafts = drafting.known()
    groups, first = explain_groups(engine, found, verdicts, drafts)
    candidates = len(stopped_at_capture(verdicts))
    if as_json_:
        as_json(_record(found, groups, first, drafts) | {"draftable": candidates})
    else:
        _told(found, groups, first)
        _told_drafts(drafts, candidates)


def _quiet(draft: Draft, left: int) -> None:
    """JSON tells them at the end."""


def _drafted(draft: Draft, left: int) -> None:
    more = [each for each in draft.failures if each.signature != draft.first]
    end = f"stopped: {draft.stopped}" if draft.stopped else "came to the end"
    told = f"{draft.cell.id}: {len(more)} more failures, {end}; {left} cells left"
    err.print(plain(told), markup=False, soft_wrap=True)


def _told(run: Run, groups: list[FailureGroup], first: list[Unlock]) -> None:
    failing = sum(group.cells for group in groups)
    _say(
        f"run {run.id}, Transformers {run.revision}: {failing} failing cells, {len(groups)} groups"
    )
    for place, group in enumerate(groups, start=1):
        _say(
            f"{place:4}  {group.cells:5} {'cell ' if group.cells == 1 else 'cells'}, "
            f"{group.unlocks or 0:5} green if fixed  "
            f"{group.signature}  {group.kind}  ({group.owner})"
        )
        _say(f"      {group.title}")
    if first:
        _say("\nwhat to fix first, each after the ones above it")
    for step in first:
        _say(f"  +{step.cells:<4} {step.total:5} green  {step.signature}  {step.title}")


def _told_drafts(drafts: Drafts, candidates: int) -> None:
    if not drafts:
        if candidates:
            _say(
                f"\n{candidates} cells fail at capture, and tell their first error only; "
                "--draft goes on behind it"
            )
        return
    more = sum(len(each.reasons) > 1 for each in drafts.values())
    stopped = sum(each.stopped is not None for each in drafts.values())
    kernels = sorted({kernel for each in drafts.values() for kernel in each.kernels})
    _say(
        f"\ndrafts of {len(drafts)} of the {candidates} cells that fail at capture: {more} fail "
        f"with more than their first error, {stopped} could not be drafted to the end"
    )
    for kernel in kernels:
        _say(f"  {kernel}")


def _say(text: str) -> None:
    listed([plain(text)])


def _record(
    run: Run, groups: list[FailureGroup], first: list[Unlock], drafts: Drafts
) -> dict[str, object]:
    """The contract of `unlock --json`."""
    return {
        "run": {"id": run.id, "run": run.uid, "revision": run.revision},
        "failing": sum(group.cells for group in groups),
        "groups": [asdict(group) for group in groups],
        "first": [asdict(step) for step in first],
        "drafts": [drafts[cell].to_record() for cell in sorted(drafts)],
    }
