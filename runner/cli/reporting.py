"""`report`: a run, as it is told to people and to other systems."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import MatrixError
from runner.cli.console import as_json, out
from runner.cli.options import Database, opened
from runner.core.plain import plain
from runner.core.report.junit import as_junit
from runner.core.report.markdown import as_markdown
from runner.core.report.told import Report
from runner.settings import settings
from runner.steps.reporting import as_html, as_record, report_of
from runner.store import reads


class ReportFormat(StrEnum):
    """How a run is told."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"


def register(app: typer.Typer) -> None:
    app.command("report")(report)


def report(
    run: Annotated[
        str, typer.Argument(help="Run: number, name, revision or `latest`.", show_default=False)
    ],
    *,
    baseline: Annotated[
        str | None,
        typer.Option(help="Compare with this run. Default: as `diff` chooses it."),
    ] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="How to tell it; `junit` for CI viewers.")
    ] = ReportFormat.MARKDOWN,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it here. Default: print it.")
    ] = None,
    database: Database = None,
) -> None:
    """Tell a run: what changed, why cells fail or are skipped, what is slow, on which versions."""
    engine = opened(database)
    if format_ is ReportFormat.JUNIT:
        found = reads.run(engine, run)
        text = as_junit(found, reads.verdicts(engine, found.id))
    else:
        told = report_of(engine, run, baseline=baseline)
        if format_ is ReportFormat.JSON and output is None:
            as_json(as_record(told))
            return
        text = spelled(told, format_)
    if output is None:
        out.print(plain(text), markup=False, soft_wrap=True, end="")
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MatrixError(f"can't write {output}: {error.strerror}") from None


def spelled(told: Report, format_: ReportFormat) -> str:
    """The report as a text of that format."""
    match format_:
        case ReportFormat.HTML:
            return as_html(told, root=settings().dashboard_url)
        case ReportFormat.JSON:
            return json.dumps(as_record(told), indent=2) + "\n"
        case _:
            return as_markdown(told, root=settings().dashboard_url)
