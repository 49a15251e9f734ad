"""`/healthz`, `/readyz` and `/metrics`: for who operates the dashboard.

Alive is who answers; ready, whose database answers and has this version's schema.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector

from dashboard.metering import REGISTRY
from dashboard.twins import as_json
from runner.core.runs import Verdict
from runner.store.engine import Engine, unready
from runner.store.figures import figures


def metrics(engine: Engine) -> bytes:
    """What Prometheus asks for: of the database as it is now, and of this process."""
    found, made = figures(engine), CollectorRegistry()
    ProcessCollector(registry=made)
    now = datetime.now(UTC)
    _gauge(made, "work", "Pieces of work that wait or are done.", found.work, label="state")
    waits = (now - found.waiting_since).total_seconds() if found.waiting_since else 0.0
    _gauge(made, "work_oldest_seconds", "Since when the oldest piece of work waits.", {"": waits})
    _gauge(made, "runs_open", "Of the newest runs, those not ended.", {"": found.open_runs})
    newest = found.newest_complete
    if newest is not None and newest.closed_at is not None:
        age = (now - newest.closed_at).total_seconds()
        _gauge(made, "newest_complete_age_seconds", "Since the last complete run.", {"": age})
        counts = {str(each): newest.verdicts.get(each, 0) for each in Verdict}
        told = "Cells of the newest complete run."
        _gauge(made, "newest_complete_cells", told, counts, label="verdict")
    return generate_latest(made) + generate_latest(REGISTRY)


def _gauge(
    registry: CollectorRegistry,
    name: str,
    told: str,
    values: Mapping[str, float] | Mapping[str, int],
    *,
    label: str | None = None,
) -> None:
    labels = (label,) if label else ()
    gauge = Gauge(f"export_matrix_{name}", told, labels, registry=registry)
    for key, value in values.items():
        (gauge.labels(key) if label else gauge).set(value)


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    def ready() -> Response:
        why = unready(engine)
        return as_json({"status": why or "ok"}, status=503 if why else 200)

    @router.get("/metrics")
    def metrics_text() -> Response:
        return Response(metrics(engine), media_type=CONTENT_TYPE_LATEST)

    return router
