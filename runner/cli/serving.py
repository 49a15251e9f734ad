"""`serve` and `demo`: the dashboard, over one's own results or over those that come with it."""

import gc
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from harness.errors import MatrixError
from runner.cli.console import err, out
from runner.cli.options import Database, opened
from runner.cli.warming import keep_warm
from runner.core.amounts import size
from runner.settings import settings
from runner.steps.demo import PACKED, made
from runner.steps.demo import pack as pack_seed
from runner.steps.subscribing import handlers
from runner.steps.working import working_beside
from runner.store.engine import Engine, ensure

#: others' changes are seen within so many seconds
_FRESH_S = 1.0
#: new objects after which rings are looked for: more than a page of ten thousand rows has at once
_OBJECTS = 1_000_000


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.command("demo")(demo)


Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on.")]


def serve(*, host: Host = None, port: Port = None, database: Database = None) -> None:
    """Serve the dashboard, and send webhooks of searches."""
    engine = ensure(database or settings().database_url)
    with working_beside(engine, handlers(engine, settings())):
        _serve(engine, host, port)


def demo(  # noqa: PLR0913  (one parameter per option)
    *,
    seed: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another seed.")
    ] = None,
    pack: Annotated[
        Path | None, typer.Option(help="Serve nothing: write a seed of --run to this file.")
    ] = None,
    runs: Annotated[list[str] | None, typer.Option("--run", help="Runs that --pack packs.")] = None,
    host: Host = None,
    port: Port = None,
    database: Database = None,
) -> None:
    """Serve the dashboard over real results that come with it; needs no torch."""
    if pack is None:
        _serve(ensure(made(seed or PACKED, settings().folder)), host, port)
        return
    if not runs:
        raise MatrixError("say which runs to pack: --run 5.22.2 --run 5.23.0")
    results = pack_seed(opened(database), runs, pack)
    out.print(f"{results} results in {size(pack.stat().st_size)}", markup=False)


def _serve(engine: Engine, host: str | None, port: int | None) -> None:
    # By name: packages import downwards only, and the one command line is the runner's.
    address = host or settings().host, port or settings().port
    app = import_module("dashboard.app").create_app(engine, host=address[0], fresh_s=_FRESH_S)
    import_module("dashboard.rendering").compile_all()
    gc.freeze()  # what is loaded by now stays
    # A page is made of ten thousand rows: every 700 is too often to go through them all.
    gc.set_threshold(_OBJECTS)
    has = settings()
    usual = (has.host, has.port) == address or has.public_url is not None
    public = has.dashboard_url if usual else f"http://{address[0]}:{address[1]}"
    keep_warm(*address, public_url=public)
    err.print(f"dashboard: http://{address[0]}:{address[1]}", markup=False)
    uvicorn.run(app, host=address[0], port=address[1], log_level="warning")
