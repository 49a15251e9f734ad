"""`/badges/…`: how a run or a model does, as an image (SVG) and as shields.io's JSON.

A name that means nothing is a badge too, `unknown`: a page that shows it is not broken by it.
"""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from dashboard.rendering import fill
from harness.cells import Variant
from harness.errors import SelectionError
from runner.core.badge import Badge, badge, unknown
from runner.steps.knowing import complete_runs
from runner.store import reads
from runner.store.engine import Engine

_RUNS = 20
_LONGEST = 80
_SECONDS = 300
Narrow = Annotated[str, Query(max_length=60, description="Only what it exports to, or how.")]


def run_badge(engine: Engine, ref: str) -> Badge:
    """Of a run: all that it ran."""
    try:
        run = reads.run(engine, ref)
    except SelectionError:
        return unknown("export matrix")
    label = f"exports of {run.revision}"
    return badge(label[:_LONGEST], run.verdicts, complete=run.complete)


def model_badge(engine: Engine, model_type: str, backend: str = "", variant: str = "") -> Badge:
    """Of a model type in the newest complete run that has it: its classes, as far as asked for."""
    words = " ".join(each for each in (model_type, backend, variant) if each)
    label = f"{words} export"[:_LONGEST]
    wanted = {Variant(variant)} if variant in {*Variant} else set() if variant else {*Variant}
    for run, _ in zip(complete_runs(engine), range(_RUNS), strict=False):
        counts = Counter(
            spot.verdict
            for spot in reads.spots(engine, run.id, model_type=model_type)
            if spot.cell.variant in wanted and backend in ("", spot.cell.backend)
        )
        if counts:
            return badge(label, counts, complete=True)
    return unknown(label)


def as_svg(told: Badge) -> Response:
    """The image; its widths are those of Verdana, near enough."""
    left, right = (round(10 + 6.8 * len(text)) for text in (told.label, told.message))
    image = fill("badge.svg", {"badge": told, "left": left, "right": right})
    return Response(image, media_type="image/svg+xml", headers=_CACHED)


def as_shields(told: Badge) -> dict[str, Any]:
    """As shields.io asks for it, https://shields.io/badges/endpoint-badge."""
    return {
        "schemaVersion": 1,
        "label": told.label,
        "message": told.message,
        "color": told.colour.removeprefix("#"),
    }


_CACHED = {"Cache-Control": f"public, max-age={_SECONDS}"}


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(prefix="/badges")

    @router.get("/runs/{ref}.json")
    def run_badge_json(ref: str) -> dict[str, Any]:
        """How many cells of a run pass, as shields.io asks for it."""
        return as_shields(run_badge(engine, ref))

    @router.get("/runs/{ref}.svg", include_in_schema=False)
    def run_badge_svg(ref: str) -> Response:
        return as_svg(run_badge(engine, ref))

    @router.get("/models/{model_type}.json")
    def model_badge_json(
        model_type: str, backend: Narrow = "", variant: Narrow = ""
    ) -> dict[str, Any]:
        """How many cells of a model pass in the newest complete run, as shields.io asks for it."""
        return as_shields(model_badge(engine, model_type, backend, variant))

    @router.get("/models/{model_type}.svg", include_in_schema=False)
    def model_badge_svg(model_type: str, backend: Narrow = "", variant: Narrow = "") -> Response:
        return as_svg(model_badge(engine, model_type, backend, variant))

    return router
