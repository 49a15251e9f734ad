"""`bot` and `work`: pull requests on GitHub. Both come with the extra `bot`."""

import json
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from harness.errors import MatrixError
from runner.cli.console import as_json, err, interruptible, listed
from runner.cli.options import Database, Json, Words, Workers
from runner.core.pull.check import as_json as report_record
from runner.core.pull.comment import as_comment
from runner.core.pull.events import Kind, read_event
from runner.core.pull.report import Commits, Report
from runner.settings import settings
from runner.steps.pulled import stored_report
from runner.store.engine import Engine, ensure
from runner.store.pulls import PullRuns, note_runs, pull_runs

app = typer.Typer(help="Pull requests on GitHub: report, answer, suggest.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(min=1, help="Number of the pull request.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Print what would be posted; post nothing.")]
Checkout = Annotated[
    Path | None, typer.Option(help="Clone of the repository. Default: EXPORT_MATRIX_CHECKOUT.")
]
Workflow = Annotated[
    str | None, typer.Option(help="Address of the job that this is, for the comment's first link.")
]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="bot")


def steps() -> ModuleType:
    try:
        from runner.steps import benches  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        raise MatrixError(
            f"{error.name} is not installed; it comes with: pip install 'export-matrix[bot]'"
        ) from None
    return benches


@app.command()
def report(  # noqa: PLR0913  (one parameter per option)
    number: Number,
    *,
    baseline: Annotated[str | None, typer.Option(help="Run of the base.")] = None,
    head: Annotated[str | None, typer.Option(help="Run of the pull request.")] = None,
    commits: Annotated[
        str | None,
        typer.Option(metavar="RUN,PR,BASE", help="The commits: merge, branch's last, base's."),
    ] = None,
    base_branch: Annotated[str, typer.Option(help="Name of the base branch.")] = "main",
    workflow: Workflow = None,
    dry_run: Dry = False,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Post comment and check run of a pull request whose runs are in the database."""
    engine = ensure(database or settings().database_url)
    if baseline and head and commits:
        runs = _given(number, (baseline, head), commits, base_branch)
        note_runs(engine, runs)
    else:
        runs = pull_runs(engine, number)
    told = stored_report(engine, runs, dashboard=settings().public_url, workflow=workflow)
    told_as(told, as_json_=as_json_)
    if not dry_run:
        comment, check = steps().post_report(settings(), told)
        err.print(f"comment {comment.done}, check run {check.done}", markup=False)


def _given(number: int, runs: tuple[str, str], commits: str, base_branch: str) -> PullRuns:
    parts = [part.strip() for part in commits.split(",")]
    if len(parts) != 3 or not all(parts):
        raise MatrixError(f"--commits {commits!r} is not RUN,PR,BASE: three commits")
    return PullRuns(
        repository=settings().repository or "",
        number=number,
        commits=Commits(run=parts[0], head=parts[1], base=parts[2], base_branch=base_branch),
        baseline_run=runs[0],
        head_run=runs[1],
    )


def told_as(found: Report, *, as_json_: bool) -> None:
    if as_json_:
        as_json(report_record(found))
    else:
        listed(as_comment(found).splitlines())


@app.command()
def run(  # noqa: PLR0913  (one parameter per option)
    number: Number,
    words: Words = None,
    *,
    checkout: Checkout = None,
    workflow: Workflow = None,
    workers: Workers = None,
    dry_run: Dry = False,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Run a pull request here, its merge against its base, and tell it."""
    engine = ensure(database or settings().database_url)
    bench = bench_here(engine, workers=workers, checkout=checkout, workflow=workflow)
    interruptible()
    told = steps().run_here(bench, number, tuple(words or ()), dry=dry_run)
    told_as(told, as_json_=as_json_)


@app.command()
def answer(  # noqa: PLR0913  (one parameter per option)
    event: Annotated[Path, typer.Argument(help="File of an `issue_comment` event (JSON).")],
    *,
    checkout: Checkout = None,
    workflow: Workflow = None,
    job: Annotated[
        int | None, typer.Option("--run", help="Number of the workflow's run that this is.")
    ] = None,
    dry_run: Dry = False,
    database: Database = None,
) -> None:
    """Answer a command in a comment; prints as JSON what is to be run for it, for further jobs."""
    payload = read_file(event)
    found = read_event("issue_comment", payload)
    if found is None or found.kind is not Kind.COMMENT:
        as_json({"words": [], "head": "", "answer": ""})
        return
    engine = ensure(database or settings().database_url)
    bench = bench_here(engine, checkout=checkout, workflow=workflow)
    said = steps().answer_event(bench, settings(), found.payload, dry=dry_run)
    if said is None:
        as_json({"words": [], "head": "", "answer": "", "number": found.payload["number"]})
        return
    ran = {"id": job, "head_sha": said.head, "html_url": workflow or "", "conclusion": "success"}
    as_json(
        {
            "words": said.words,
            "head": said.head,
            "answer": said.body,
            "number": found.payload["number"],
            "select": " ".join(said.words),
            "pull_request": said.pull,
            "workflow_run": ran,
        }
    )


def read_file(event: Path) -> dict[str, Any]:
    """What GitHub tells a job of why it runs."""
    try:
        found: dict[str, Any] = json.loads(event.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MatrixError(f"{event} is no event of GitHub: {error}") from None
    return found


@app.command()
def suggest(
    number: Number, *, checkout: Checkout = None, dry_run: Dry = False, database: Database = None
) -> None:
    """Suggest jobs for a pull request, from the files that it changes."""
    engine = ensure(database or settings().database_url)
    body = steps().suggest_here(bench_here(engine, checkout=checkout), number, dry=dry_run)
    if body is None:
        err.print("it changes nothing that a model can reach")
    else:
        listed(body.splitlines())


def bench_here(engine: Engine, **given: Any) -> Any:  # noqa: ANN401  (of an extra)
    """The bench of this machine, from the settings."""
    return steps().bench_of(engine, settings(), **given)
