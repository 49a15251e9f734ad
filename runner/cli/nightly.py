"""`nightly`: one command for cron, a systemd timer, a scheduled workflow, or the compose file."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import SelectionError
from runner.cli.console import as_json, err, interruptible, listed
from runner.cli.executors import ExecutorName, RayAddress
from runner.cli.options import (
    DEFAULT_ZOO,
    Backends,
    Database,
    Json,
    LimitsFile,
    MemoryBudget,
    TimeLimit,
    Variants,
    Words,
    ZooName,
)
from runner.core.nights import HERE, Told, stack_named
from runner.core.plain import plain
from runner.execute.stacks import versions_in
from runner.settings import settings, without_secrets
from runner.steps.elsewhere import begun_night, gather, part, queued
from runner.steps.nightly import Nightly
from runner.steps.pinning import Pinned, pin
from runner.store.engine import ensure

_DAY = "%Y-%m-%d"


def register(app: typer.Typer) -> None:
    app.command("nightly")(nightly)


def nightly(  # noqa: PLR0913  (one parameter per option)
    words: Words = None,
    *,
    revision: Annotated[
        str,
        typer.Option(
            "--revision",
            "-r",
            help="`newest` (release), `installed`, a release, or a branch of a clone, which is "
            "brought up to date: path/to/transformers@origin/main.",
        ),
    ] = "newest",
    stack: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PYTHON",
            help="A stack: another environment's Python, with this project in it; `here` is this "
            "one. May be repeated: the stacks are run one after the other, and compared.",
        ),
    ] = None,
    backend: Backends = None,
    variant: Variants = None,
    zoo: ZooName = DEFAULT_ZOO,
    workers: Annotated[
        int | None, typer.Option("-n", "--workers", min=1, help="Cells at once.")
    ] = None,
    limits: LimitsFile = None,
    time_limit: TimeLimit = None,
    memory_budget: MemoryBudget = None,
    fetch: Annotated[
        bool, typer.Option(help="Bring the clone up to date with its remotes first.")
    ] = True,
    confirm: Annotated[
        bool, typer.Option(help="Execute apparent losses again before they are told.")
    ] = True,
    executor: Annotated[
        ExecutorName | None,
        typer.Option(help="Where cells run: here, or on a Ray cluster.", show_default=False),
    ] = None,
    ray_address: RayAddress = None,
    dispatch: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Only plan, for jobs of their own; print their matrix."
        ),
    ] = None,
    collect: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Take in what the jobs left there, and tell the night."
        ),
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Have `export-matrix work` on other machines run it.")
    ] = False,
    shards: Annotated[
        int, typer.Option(min=1, help="Of --dispatch and --queue: shares of each stack at most.")
    ] = 8,
    day: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="Which night. Default: today, UTC.")
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Run the night's revision on each stack, confirm, compare with the last night, and tell it.

    Repeating it changes nothing: a night goes on where it was, and nobody is told twice.
    """
    if sum(map(bool, (dispatch, collect, queue))) > 1:
        raise SelectionError("--dispatch, --collect and --queue exclude each other")
    url = database or settings().database_url
    variables = {**without_secrets(), "EXPORT_MATRIX_DATABASE_URL": url}
    stacks = _stacks(stack or [HERE], variables)
    begun = begun_night(collect) if collect else None
    pinned = begun.pinned if begun else _pinned(revision, fetch=fetch)
    bounds = _options({"--limits": limits, "--time-limit": time_limit})
    room = _options({"-n": workers, "--memory-budget": memory_budget})
    ray = _options({"--executor": executor, "--ray-address": ray_address})
    where = ["--checkout", str(pinned.checkout)] if pinned.checkout else []
    branch = _options({"--branch": pinned.branch})
    axes = [f"--backend={each}" for each in backend or ()]
    axes += [f"--variant={each}" for each in variant or ()]
    asked = Nightly(
        engine=ensure(url),
        folder=settings().folder,
        day=begun.day if begun else (day or datetime.now(UTC)).date(),
        revision=pinned.text,
        name=pinned.name,
        stacks=stacks,
        words=[*(words or ()), *axes, "--provider", zoo, *branch, *bounds],
        room=[*room, *ray],
        confirm=[*where, *bounds, *room] if confirm else None,
        variables=variables,
        say=_say,
    )
    interruptible()
    if dispatch:
        as_json(part(asked, dispatch, revision=_for_jobs(revision, pinned), most=shards))
        return
    if begun and collect:
        telling = gather(asked, collect, begun.shares)
    else:
        telling = queued(asked, shares=shards) if queue else asked.run()
    _tell_all(telling, as_json_=as_json_)


def _stacks(given: list[str], variables: Mapping[str, str]) -> dict[str, Path]:
    """Name -> Python, each of which can run cells."""
    stacks = dict(map(_stack, given))
    if len(stacks) < len(given):
        raise SelectionError("a --stack is given twice")
    for name, python in stacks.items():
        if name != HERE:
            versions = versions_in(python, variables)
            _say(f"stack {name}: torch {versions.get('torch', 'none')} of {python}")
    return stacks


def _pinned(revision: str, *, fetch: bool) -> Pinned:
    pinned = pin(revision, fetch=fetch, cache=settings().folder)
    if pinned.stale:
        _say(f"the clone could not be brought up to date ({pinned.stale}); going on with it")
    return pinned


def _for_jobs(revision: str, pinned: Pinned) -> str:
    """As jobs name it: their clone lies where it was named, not where it is here."""
    return f"{revision.partition('@')[0]}@{pinned.name}" if pinned.checkout else pinned.text


def _tell_all(telling: Iterator[Told], *, as_json_: bool) -> None:
    try:
        told = [_tell(each, quiet=as_json_) for each in telling]
    except KeyboardInterrupt:
        err.print("\ninterrupted; the same command goes on with it", markup=False)
        raise typer.Exit(1) from None
    if as_json_:
        as_json([asdict(each) | {"run": each.run, "uid": each.night.uid} for each in told])
    raise typer.Exit(0 if all(each.complete and not each.untold for each in told) else 1)


def _stack(text: str) -> tuple[str, Path]:
    name, mark, python = text.partition("=")
    if text == HERE:
        return HERE, Path(sys.executable)
    if not mark or not python or name == HERE:
        raise SelectionError(
            f"--stack {text!r} is not NAME=PYTHON, such as nightly=/envs/n/bin/python"
        )
    # Not resolved: a virtual environment is known by its own path.
    return stack_named(name), Path(python).expanduser().absolute()


def _options(given: dict[str, object]) -> list[str]:
    pairs = given.items()
    return [word for name, each in pairs if each is not None for word in (name, str(each))]


def _tell(told: Told, *, quiet: bool) -> Told:
    for each in told.untold:
        _say(f"{told.night.uid} could not be told: {each}")
    if not quiet:
        listed([plain(told.subject), *(plain(f"  {each}") for each in told.problems)])
        listed([f"  {told.summary}"] if told.summary else [])
        home = settings().folder / "nightly" / told.night.uid
        listed([f"  report: {home / 'report.html'}"] if told.run else [])
    return told


def _say(line: str) -> None:
    err.print(plain(line), markup=False, soft_wrap=True)
