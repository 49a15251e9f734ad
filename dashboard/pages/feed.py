"""`/feed.xml`: what came of the last nights, as an Atom feed; without nights, of the last runs.

With `?q=` it is what of a search came and went.
"""

from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Request, Response

from runner.core.nights import Night, last_complete
from runner.core.plain import shown
from runner.core.query.reader import parse
from runner.core.report.junit import fit
from runner.core.report.markdown import as_markdown
from runner.core.runs import Run
from runner.settings import settings
from runner.steps.knowing import complete_runs
from runner.steps.reporting import report_of
from runner.steps.subscribing import news
from runner.store import reads
from runner.store.engine import Engine
from runner.store.nights import nights

_ENTRIES = 10
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
#: runs and lines of a search's feed
_SEARCHED = 6
_LINES = 100
_ATOM = "http://www.w3.org/2005/Atom"


def feed(engine: Engine, root: str) -> str:
    """The newest runs that have ended, newest first."""
    runs = nights(engine, limit=_ENTRIES) or reads.runs(engine, limit=_ENTRIES)
    ended = [run for run in runs if run.closed_at is not None]
    newest = max((run.closed_at for run in ended if run.closed_at), default=None)
    made = _begun("Export Matrix", f"{root}/feed.xml", newest)
    for run in ended:
        _entry(made, engine, run, root)
    return _HEAD + tostring(made, encoding="unicode")


def search_feed(engine: Engine, root: str, query: str) -> str:
    """What of a search came and went with the newest complete runs, newest first.

    `SelectionError` if the search can't be read.
    """
    parse(query)
    runs = [run for run, _ in zip(complete_runs(engine), range(_SEARCHED), strict=False)]
    newest = runs[0].closed_at if runs else None
    made = _begun(f"Export Matrix: {query}", f"{root}/feed.xml?q={quote(query)}", newest)
    for run in runs:
        title, body = _news(engine, run.uid, query, f"{run.closed_at} {dict(run.verdicts)}")
        if body:
            where = f"{root}/matrix?run={run.id}&q={quote(query)}"
            _filled(made, run, where, f"{run.revision}: {title}", body)
    return _HEAD + tostring(made, encoding="unicode")


def _begun(title: str, address: str, newest: datetime | None) -> Element:
    """A feed without entries."""
    made = Element("feed", xmlns=_ATOM)
    _text(made, "title", title)
    _text(made, "id", address)
    SubElement(made, "link", href=address, rel="self")
    _text(made, "updated", (newest or datetime.fromtimestamp(0, UTC)).isoformat())
    return made


@lru_cache(maxsize=256)  # of a run that has ended nothing changes but with its state
def _news(engine: Engine, uid: str, query: str, _state: str) -> tuple[str, str]:
    """Headline, and the cells in lines; no lines if nothing came and nothing went."""
    told = news(engine, reads.run(engine, uid), query)
    came = [f"+ {each.cell.id}: {each.verdict} {each.title or ''}" for each in told.came]
    lines = [*came, *(f"- {cell.id}" for cell in told.went)]
    more = [f"and {len(lines) - _LINES} more"] if len(lines) > _LINES else []
    return told.headline, "\n".join([*lines[:_LINES], *more])


def _entry(made: Element, engine: Engine, run: Run, root: str) -> None:
    title, body = _told(engine, run.uid, f"{run.closed_at} {dict(run.verdicts)}")
    night = Night.of(run)
    title = f"{night.stack if night else run.id} · {run.revision}: {title}"
    _filled(made, run, f"{root}/runs/{run.id}/report", title, body)


def _filled(made: Element, run: Run, where: str, title: str, body: str) -> None:
    entry = SubElement(made, "entry")
    _text(entry, "title", title)
    _text(entry, "id", where)
    SubElement(entry, "link", href=where)
    _text(entry, "updated", (run.closed_at or run.started_at).isoformat())
    author = SubElement(entry, "author")
    _text(author, "name", "Export Matrix")
    _text(entry, "summary", body)


@lru_cache(maxsize=64)  # of a run that has ended nothing changes but with its state
def _told(engine: Engine, uid: str, _state: str) -> tuple[str, str]:
    """Headline and report; a night is compared with the one before it."""
    run = reads.run(engine, uid)
    night = Night.of(run)
    earlier = last_complete(run, nights(engine, stack=night.stack)) if night else None
    baseline = str(earlier.id) if earlier else None
    found = report_of(engine, uid, baseline=baseline, alone=night is not None and earlier is None)
    return found.headline, as_markdown(found)


def _text(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = shown(fit(text))


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/feed.xml", include_in_schema=False)
    def feed_xml(request: Request, q: str = "") -> Response:
        root = (settings().public_url or str(request.base_url)).rstrip("/")
        told = search_feed(engine, root, q) if q.strip() else feed(engine, root)
        return Response(told, media_type="application/atom+xml")

    return router
