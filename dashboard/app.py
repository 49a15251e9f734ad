"""The dashboard's application: pages, their JSON twins, errors, and what every response carries.

It only reads, but for what GitHub sends, which is queued (`webhooks`), for results that holders of
a token send (`uploads`), and for what is said of failure groups by those who may (`signin`). What
models and exporters printed is shown, so the content security policy allows no script and no style
but our own.
"""

from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import scripts, subscribing, uploads, webhooks
from dashboard.caching import Caching
from dashboard.metering import Metering, first_part
from dashboard.openapi import describe, unique_id
from dashboard.pages import (
    badges,
    cells,
    completing,
    detector,
    diffs,
    feed,
    flaky,
    fleet,
    group,
    groups,
    known,
    matrix,
    models,
    operating,
    overview,
    people,
    pulls,
    reports,
    runs,
    slowest,
    snapshots,
    tables,
    triage,
)
from dashboard.rendering import STATIC, render
from dashboard.signin import ways
from dashboard.signin.access import Access
from dashboard.signin.visitors import keeper
from dashboard.twins import with_twins
from harness.errors import KnownFailureError, MatrixError, SelectionError
from runner.settings import settings
from runner.store.engine import Engine
from runner.store.kept import Kept, keeping
from runner.store.watching import Watch

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

#: a message repeats what was asked, which may be of any length
_LONGEST_MESSAGE = 2000
_FOR_PROGRAMS = (".json", ".csv", ".parquet", ".sqlite")


def create_app(
    engine: Engine, access: Access | None = None, *, host: str | None = None, fresh_s: float = 0.0
) -> FastAPI:
    """The dashboard over a database that is open and up to date.

    `host` is the address that it listens on; who may do what is told by `access`, else by the
    settings. With `fresh_s`, what others commit is seen within so many seconds, and what ended runs
    came to is kept for half a minute; else everything is seen at once.
    """
    kept, watch = Kept(), Watch(engine)
    if fresh_s:
        engine = keeping(engine, kept)
    access = access or Access.of(settings(), host)
    app = FastAPI(
        title="Export Matrix",
        version=version("export-matrix"),
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=unique_id,
    )
    pages = (overview, matrix, runs, reports, feed, diffs, cells, groups, known, flaky, detector,
             pulls, completing, models, fleet, slowest, badges, tables, snapshots,
             operating)  # fmt: skip
    posting = (group, triage, scripts, webhooks, uploads, subscribing)
    routers = [page.routes(engine) for page in (*pages, *posting)]
    routers += [page.routes(engine, access) for page in (people, ways)]
    for router in routers:
        app.include_router(with_twins(router))
    app.state.pages = [route for router in routers for route in router.routes]
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    describe(app)
    app.add_exception_handler(SelectionError, _not_found)
    app.add_exception_handler(KnownFailureError, _misconfigured)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(MatrixError, _not_here)
    # Inside of who may read at all.
    app.add_middleware(Caching, state=watch.state, fresh_s=fresh_s, on_write=kept.forget)
    app.middleware("http")(keeper(engine, access, _error))
    app.add_middleware(_WithHeaders)
    app.add_middleware(
        Metering, known=frozenset(first_part(route.path) for route in app.state.pages)
    )
    return app


class _WithHeaders:
    """Middleware that says in every response what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fixed = scope["type"] == "http" and scope["path"].startswith("/static/")
        for_ever = fixed and scope["query_string"]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if for_ever:
                    headers["Cache-Control"] = "public, max-age=31536000, immutable"
            await send(message)

        await self._app(scope, receive, with_headers)


def _not_found(request: Request, error: Exception) -> Response:
    """Nothing of that name: the message says what there is."""
    return _error(request, 404, str(error))


def _not_here(request: Request, error: Exception) -> Response:
    """What this installation lacks, and how it is had."""
    return _error(request, 501, str(error))


def _misconfigured(request: Request, error: Exception) -> Response:
    """A file of the operator's that can't be read; what to put right."""
    return _error(request, 500, str(error))


def _unreadable(request: Request, _error_: Exception) -> Response:
    return _error(request, 400, "The address can't be read; see /runs for the runs there are.")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for nothing else)
    told = str(error.detail)
    told = "There is no such page." if told == "Not Found" else told
    return _error(request, error.status_code, told)


def _error(request: Request, status: int, message: str) -> Response:
    message = message[:_LONGEST_MESSAGE]
    if request.url.path.endswith(_FOR_PROGRAMS) or request.url.path.startswith("/api/"):
        return JSONResponse({"error": message}, status_code=status)
    page = {"status": status, "message": message}
    return render(request, "error.html", page, status=status, title=f"{status}")
