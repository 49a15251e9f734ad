"""`/pr/{number}?sha=`: what was run for a pull request, where its comment links to."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from runner.core.pull.check import as_json
from runner.steps.pulled import stored_report
from runner.store import reads
from runner.store.engine import Engine
from runner.store.pulls import pull_runs


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/pr/{number}.json")
    def pull_json(number: int, sha: str = "") -> dict[str, Any]:
        return as_json(stored_report(engine, pull_runs(engine, number, sha)))

    @router.get("/pr/{number}", include_in_schema=False)
    def pull_html(number: int, sha: str = "") -> Response:
        found = pull_runs(engine, number, sha)
        before, after = (
            reads.run(engine, name or "").id for name in (found.baseline_run, found.head_run)
        )
        return RedirectResponse(f"/diff/{before}/{after}", status_code=303)

    return router
