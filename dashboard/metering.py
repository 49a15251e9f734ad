"""Counts requests and their seconds, for `/metrics`; by the first part of the address alone.

An address may be anybody's words, so only those that are ours are told apart.
"""

import time

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REGISTRY = CollectorRegistry()
REQUESTS = Histogram(
    "export_matrix_request_seconds",
    "Seconds until a request was answered.",
    ("page", "status"),
    registry=REGISTRY,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 1, 5),
)


class Metering:
    """Middleware; `known` are the first parts of the addresses that there are."""

    def __init__(self, app: ASGIApp, *, known: frozenset[str]) -> None:
        self._app, self._known = app, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            page = first_part(scope["path"])
            told = page if page in self._known else "other"
            REQUESTS.labels(told, str(status)).observe(time.perf_counter() - started)


def first_part(path: str) -> str:
    """`runs` of `/runs/7.json`; empty for the overview."""
    return path.strip("/").partition("/")[0].partition(".")[0]
