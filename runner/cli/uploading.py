"""`token` and `upload`: who may send results here, and sending them elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import MatrixError
from runner.cli.console import as_json, err, listed, out
from runner.cli.options import Database, Json
from runner.core.access import Scope
from runner.core.plain import plain
from runner.settings import settings
from runner.steps.sending import keep, send_kept
from runner.store.engine import ensure
from runner.store.tokens import all_tokens, create_token, revoke_token

app = typer.Typer(help="Tokens of projects and scripts.", no_args_is_help=True)


@app.command()
def create(
    project: Annotated[str, typer.Argument(help="Whom it is for.", show_default=False)],
    *,
    scope: Annotated[
        Scope, typer.Option(help="To send results, to triage (and read), or to read.")
    ] = Scope.RESULTS,
    runs: Annotated[
        str | None,
        typer.Option(help="Of results: glob over names of runs. Default: PROJECT-*."),
    ] = None,
    database: Database = None,
) -> None:
    """Make a token; its secret is told once, here."""
    engine = ensure(database or settings().database_url)
    sent = runs or f"{project}-*"
    number, secret = create_token(engine, project, sent, scope=scope)
    use = f"for runs {sent}" if scope is Scope.RESULTS else f"to {scope}"
    err.print(f"token {number} of {project}, {use}:", markup=False)
    out.print(secret, markup=False, soft_wrap=True)


@app.command("list")
def list_(*, as_json_: Json = False, database: Database = None) -> None:
    """List all tokens, without their secrets."""
    found = all_tokens(ensure(database or settings().database_url))
    if as_json_:
        names = ("id", "project", "scope", "runs", "created_at", "used_at", "revoked_at")
        as_json([{name: getattr(each, name) for name in names} for each in found])
        return
    for each in found:
        state = "revoked" if each.revoked_at else f"used {each.used_at or 'never'}"
        listed([plain(f"{each.id}  {each.project}  {each.scope}  {each.runs}  {state}")])


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="The token's number.", show_default=False)],
    *,
    database: Database = None,
) -> None:
    """Make a token good for nothing, at once."""
    revoke_token(ensure(database or settings().database_url), number)
    out.print(f"token {number} is revoked")


def upload(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...",
            exists=True,
            dir_okay=False,
            help="Result files (*.jsonl).",
            show_default=False,
        ),
    ] = None,
    *,
    to: Annotated[
        str | None, typer.Option(help="The dashboard. Default: EXPORT_MATRIX_UPLOAD_URL.")
    ] = None,
) -> None:
    """Send results to a dashboard; what can't be sent now is kept, and sent by the next upload."""
    url, secret = to or settings().upload_url, settings().upload_token
    if not url or secret is None:
        raise MatrixError(
            "say where to (--to or EXPORT_MATRIX_UPLOAD_URL), and set EXPORT_MATRIX_UPLOAD_TOKEN"
        )
    spool = settings().folder / "spool"
    for file in files or ():
        keep(spool, str(file))
    sent = send_kept(spool, url.rstrip("/"), secret.get_secret_value())
    listed(plain(line) for line in sent.told)
    raise typer.Exit(0 if sent.all else 1)
