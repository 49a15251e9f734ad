"""`serve`: the dashboard."""

import gc
from importlib import import_module
from typing import Annotated

import typer
import uvicorn

from runner.cli.console import err
from runner.cli.options import Database
from runner.settings import settings
from runner.store.engine import ensure

#: others' changes are seen within so many seconds
_FRESH_S = 1.0


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    database: Database = None,
) -> None:
    """Serve the dashboard."""
    engine = ensure(database or settings().database_url)
    # By name: packages import downwards only, and the one command line is the runner's.
    address = host or settings().host, port or settings().port
    app = import_module("dashboard.app").create_app(engine, host=address[0], fresh_s=_FRESH_S)
    gc.freeze()  # what is loaded by now stays
    err.print(f"dashboard: http://{address[0]}:{address[1]}", markup=False)
    uvicorn.run(app, host=address[0], port=address[1], log_level="warning")
