"""`nightly`: one command for cron, a systemd timer, a scheduled workflow, or the compose file."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import SelectionError
from runner.cli.console import as_json, err, interruptible, listed
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
from runner.steps.nightly import Nightly
from runner.steps.pinning import pin
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
    day: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="Which night. Default: today, UTC.")
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Run the night's revision on each stack, confirm, compare with the last night, and tell it.

    Repeating it changes nothing: a night goes on where it was, and nobody is told twice.
    """
    url = database or settings().database_url
    stacks = dict(map(_stack, stack or [HERE]))
    if len(stacks) < len(stack or [HERE]):
        raise SelectionError("a --stack is given twice")
    variables = {**without_secrets(), "EXPORT_MATRIX_DATABASE_URL": url}
    for name, python in stacks.items():
        if name != HERE:
            versions = versions_in(python, variables)
            _say(f"stack {name}: torch {versions.get('torch', 'none')} of {python}")
    pinned = pin(revision, fetch=fetch, cache=settings().folder)
    if pinned.stale:
        _say(f"the clone could not be brought up to date ({pinned.stale}); going on with it")
    shared = _options(
        {"-n": workers, "--limits": limits, "--time-limit": time_limit},
        **{"--memory-budget": memory_budget},
    )
    where = ["--checkout", str(pinned.checkout)] if pinned.checkout else []
    axes = [f"--backend={each}" for each in backend or ()]
    axes += [f"--variant={each}" for each in variant or ()]
    asked = Nightly(
        engine=ensure(url),
        folder=settings().folder,
        day=(day or datetime.now(UTC)).date(),
        revision=pinned.text,
        name=pinned.name,
        stacks=stacks,
        words=[*(words or ()), *axes, "--provider", zoo, *shared],
        confirm=[*where, *shared] if confirm else None,
        variables=variables,
        say=_say,
    )
    interruptible()
    try:
        told = [_tell(each, quiet=as_json_) for each in asked.run()]
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


def _options(given: dict[str, object], **more: object) -> list[str]:
    pairs = {**given, **more}.items()
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
