"""`/feed.xml`: what came of the last nights, as an Atom feed; without nights, of the last runs."""

from datetime import UTC, datetime
from functools import lru_cache
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Request, Response

from runner.core.nights import Night, last_complete
from runner.core.report.junit import fit
from runner.core.report.markdown import as_markdown
from runner.core.runs import Run
from runner.settings import settings
from runner.steps.reporting import report_of
from runner.store import reads
from runner.store.engine import Engine
from runner.store.nights import nights

_ENTRIES = 10
_ATOM = "http://www.w3.org/2005/Atom"


def feed(engine: Engine, root: str) -> str:
    """The newest runs that have ended, newest first."""
    runs = nights(engine, limit=_ENTRIES) or reads.runs(engine, limit=_ENTRIES)
    ended = [run for run in runs if run.closed_at is not None]
    made = Element("feed", xmlns=_ATOM)
    _text(made, "title", "Export Matrix")
    _text(made, "id", f"{root}/feed.xml")
    SubElement(made, "link", href=f"{root}/feed.xml", rel="self")
    newest = max((run.closed_at for run in ended if run.closed_at), default=None)
    _text(made, "updated", (newest or datetime.fromtimestamp(0, UTC)).isoformat())
    for run in ended:
        _entry(made, engine, run, root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(made, encoding="unicode")


def _entry(made: Element, engine: Engine, run: Run, root: str) -> None:
    entry = SubElement(made, "entry")
    title, body = _told(engine, run.uid, f"{run.closed_at} {dict(run.verdicts)}")
    night = Night.of(run)
    _text(entry, "title", f"{night.stack if night else run.id} · {run.revision}: {title}")
    _text(entry, "id", f"{root}/runs/{run.id}/report")
    SubElement(entry, "link", href=f"{root}/runs/{run.id}/report")
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
    SubElement(parent, tag).text = fit(text)


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/feed.xml", include_in_schema=False)
    def feed_xml(request: Request) -> Response:
        root = settings().public_url or str(request.base_url)
        return Response(feed(engine, root.rstrip("/")), media_type="application/atom+xml")

    return router
