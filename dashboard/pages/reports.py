"""`/runs/{ref}/report`: what a run is told as, here as in mail and files."""

from typing import Any

from fastapi import APIRouter, Request, Response

from dashboard.rendering import render
from runner.steps.reporting import as_record, report_of
from runner.store.engine import Engine


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/runs/{ref}/report.json")
    def report_json(ref: str) -> dict[str, Any]:
        return as_record(report_of(engine, ref))

    @router.get("/runs/{ref}/report", include_in_schema=False)
    def report_html(request: Request, ref: str) -> Response:
        told = report_of(engine, ref)
        return render(request, "report.html", told, title=f"Report of run {told.run.id}")

    return router
