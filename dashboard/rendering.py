"""How a page object becomes HTML: templates, filters, static files named by their content.

Everything is escaped, an unknown name in a template is an error, and no text of a model or an
exporter is ever marked as safe; people's notes are, once they are cleaned (`notes`).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dashboard.board import board
from dashboard.charts import spark
from dashboard.notes import markdown
from dashboard.signin.visitors import visitor
from dashboard.words import LETTERS, MEANINGS
from harness.cells import Cell
from runner.core.amounts import seconds, size
from runner.core.plain import shown
from runner.core.progress import pace, roughly
from runner.core.summary import audit_line, canary_line, schedule_line
from runner.steps.reporting import TEMPLATES

HERE = Path(__file__).parent
STATIC = HERE / "static"


def static(name: str) -> str:
    """The URL of a static file; it changes with the content, so that it can be cached for ever."""
    return f"/static/{name}?{_fingerprint(name)}"


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def utc(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(moment: datetime | None) -> str:
    """`3 h ago`."""
    if moment is None:
        return "not finished"
    past = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if past >= length:
            return f"{int(past // length)} {unit} ago"
    return "just now"


def difference(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:.1e}"


def cell_url(cell: Cell, run: int | None = None) -> str:
    return f"/cells/{quote(cell.id)}" + (f"?run={run}" if run is not None else "")


def compile_all() -> None:
    """Compile every template, which else the first who asks for each page waits for."""
    for name in _templates().list_templates():
        _templates().get_template(name)


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader([HERE / "templates", TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        *(utc, ago, seconds, size, difference, cell_url),
        markdown,
        *(audit_line, canary_line, schedule_line, pace, roughly),
    ):
        made.filters[function.__name__] = function
    made.globals.update(
        static=static,
        board=board,
        spark=spark,
        cell_url=cell_url,
        letters=LETTERS,
        meanings=MEANINGS,
        seconds=seconds,
        size=size,
        difference=difference,
    )
    return made


class _Held:
    """A page, until it is rendered.

    Contexts and macros of templates hold each other, and what they were given, until the garbage
    collector finds them: ten thousand squares of every matrix would wait for it.
    """

    def __init__(self, page: object) -> None:
        self._page: Any = page

    def __getattr__(self, name: str) -> object:
        return getattr(self._page, name)

    def __getitem__(self, name: str) -> object:
        return self._page[name]

    def let_go(self) -> None:
        self._page = None


def render(  # noqa: PLR0913  (what a page is rendered with)
    request: Request,
    template: str,
    page: object,
    *,
    status: int = 200,
    title: str,
    refresh_s: int | None = None,
    twin: bool = True,
) -> HTMLResponse:
    """The page in its template; `twin` is the address of the same object as JSON.

    With `refresh_s`, browsers ask again after so many seconds.
    """
    held = _Held(page)
    context: Mapping[str, object] = {
        "page": held,
        "title": title,
        "path": request.url.path,
        "refresh_s": refresh_s,
        "visitor": visitor(request),
        "twin": _twin(request) if twin and status == 200 else None,
    }
    made = _templates().get_template(template).render(context)
    held.let_go()
    # HTML has no control characters, as an address may bring, and no half surrogate pair, as a log
    # may have.
    return HTMLResponse(shown(made).encode("utf-8", "replace"), status_code=status)


def fill(template: str, context: Mapping[str, object]) -> str:
    """A template that is no page, filled in."""
    return shown(_templates().get_template(template).render(context))


def _twin(request: Request) -> str:
    path = "/index" if request.url.path == "/" else request.url.path.rstrip("/")
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{quote(path)}.json{query}"
