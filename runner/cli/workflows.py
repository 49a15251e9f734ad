"""`bot plan` and `bot collect`: the halves of a pull request that is run by GitHub Actions.

What `plan` and the shards do, they do beside others' code, without a token; `collect` has one.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from harness.errors import MatrixError
from runner.cli.botting import Checkout, Dry, bench_here, read_file, steps, told_as
from runner.cli.console import as_json, err
from runner.cli.options import Database, Json, Words
from runner.core.plain import plain
from runner.core.pull.events import Pull, Workflow
from runner.settings import settings
from runner.store.engine import ensure

T = TypeVar("T")
Event = Annotated[Path, typer.Argument(help="File of the event (JSON): GITHUB_EVENT_PATH.")]


def register(app: typer.Typer) -> None:
    """Add both to `bot`."""
    app.command("plan")(plan)
    app.command("collect")(collect)


def plan(  # noqa: PLR0913  (one parameter per option)
    event: Event,
    words: Words = None,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the plans.")],
    shards: Annotated[int, typer.Option(min=1, help="Jobs of each side at most.")] = 8,
    checkout: Checkout = None,
    database: Database = None,
) -> None:
    """Plan a pull request for jobs of their own (a `pull_request` event); prints their matrix."""
    record = read_file(event)
    repository = str(settings().repository)
    pull = _of(event, lambda: Pull.read(repository, record["pull_request"]))
    engine = ensure(database or settings().database_url)
    here = bench_here(engine, checkout=checkout, speaks=False)
    as_json(steps().part_here(here, pull, output, tuple(words or ()), shards))


def collect(  # noqa: PLR0913  (one parameter per option)
    event: Event,
    words: Words = None,
    *,
    pull: Annotated[
        int | None, typer.Option(min=1, help="Its number, where a command asked for the run.")
    ] = None,
    checkout: Checkout = None,
    dry_run: Dry = False,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Tell a pull request what the jobs of its workflow left (a `workflow_run` event)."""
    record = read_file(event)
    ran = _of(event, lambda: Workflow.read(record))
    here = bench_here(ensure(database or settings().database_url), checkout=checkout)
    found = steps().collect_here(here, ran, number=pull, words=tuple(words or ()), dry=dry_run)
    if found is None:
        err.print(f"no open pull request has {ran.head[:12]} as its last commit")
        return
    for why, count in found.refused.items():
        err.print(plain(f"{count} lines or files left out: {why}"), markup=False, soft_wrap=True)
    told_as(found.report, as_json_=as_json_)


def _of(event: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MatrixError(f"{event} is another event of GitHub ({error!r})") from None
