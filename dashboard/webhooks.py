"""`POST /webhooks/github`: takes what GitHub sends, and answers at once."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from runner.settings import settings
from runner.steps.hooks import Taken, take_delivery
from runner.store.engine import Engine

#: GitHub sends 25 MB at most
_LARGEST = 25 * 2**20
_STATUS = {
    Taken.QUEUED: 202,
    Taken.SEEN: 200,
    Taken.IGNORED: 200,
    Taken.FORGED: 401,
    Taken.UNREADABLE: 400,
    Taken.CLOSED: 503,
}


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.post("/webhooks/github", include_in_schema=False)
    async def github(request: Request) -> JSONResponse:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                return JSONResponse({"delivery": "too large"}, status_code=413)
        headers = request.headers
        taken = await run_in_threadpool(
            take_delivery,
            engine,
            settings(),
            name=headers.get("x-github-event", ""),
            delivery=headers.get("x-github-delivery", ""),
            signature=headers.get("x-hub-signature-256"),
            body=bytes(body),
        )
        return JSONResponse({"delivery": taken.value}, status_code=_STATUS[taken])

    return router
