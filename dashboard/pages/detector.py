"""`/detector`: how often diffs tell what is not so, or miss what is, as selfchecks measured."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from dashboard.rendering import render
from runner.core.selfcheck import Selfcheck, line
from runner.store.engine import Engine
from runner.store.selfchecks import selfchecks


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A selfcheck, ready to show."""

    selfcheck: Selfcheck
    #: what it came to, in a line
    told: str
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorPage:
    """The last selfchecks, newest first."""

    checks: tuple[Checked, ...]


def detector_page(engine: Engine) -> DetectorPage:
    found = selfchecks(engine)
    return DetectorPage(
        checks=tuple(Checked(selfcheck=each, told=line(each), passed=each.passed) for each in found)
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/detector.json")
    def detector_json() -> DetectorPage:
        return detector_page(engine)

    @router.get("/detector", include_in_schema=False)
    def detector_html(request: Request) -> Response:
        return render(request, "detector.html", detector_page(engine), title="The detector")

    return router
