"""`POST /api/v1/runs/{run}/shards/{shard}`: results of CI systems elsewhere.

A project's token is the bearer; the body is a shard's result lines, plain or gzip. Sent again, it
changes nothing.
"""

import asyncio
from pathlib import Path
from tempfile import NamedTemporaryFile

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from harness.errors import RecordError
from runner.steps.uploads import Allowed, TooLargeError, Unpacking, may_send, take_in
from runner.store.engine import Engine

_REFUSED = {
    Allowed.UNKNOWN: "no token, or one that is unknown or revoked",
    Allowed.ANOTHER_RUN: "the token is not for this run",
}
#: an error repeats what is wrong in a line, which may be of any length
_LONGEST_ERROR = 2000
#: bodies that are unpacked and written at once
_AT_ONCE = 4


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()
    room = asyncio.Semaphore(_AT_ONCE)

    @router.post("/api/v1/runs/{run}/shards/{shard}")
    async def shard(request: Request, run: str, shard: int) -> JSONResponse:
        sender = request.headers.get("authorization", "")
        allowed = await run_in_threadpool(may_send, engine, sender, run)
        if allowed is not Allowed.YES:
            return JSONResponse({"error": _REFUSED[allowed]}, status_code=allowed.value)
        packed = request.headers.get("content-encoding", "").lower() == "gzip"
        async with room:
            with NamedTemporaryFile(suffix=".jsonl") as file:
                body = Unpacking(file, packed)
                try:
                    async for part in request.stream():
                        await run_in_threadpool(body.take, part)
                    await run_in_threadpool(body.end)
                    done = await run_in_threadpool(take_in, engine, Path(file.name), run)
                except TooLargeError as error:
                    return JSONResponse({"error": str(error)}, status_code=413)
                except RecordError as error:
                    told = str(error).replace(file.name, f"shard {shard}")
                    return JSONResponse({"error": told[:_LONGEST_ERROR]}, status_code=422)
        return JSONResponse({"run": run, "shard": shard, "new": done.new, "seen": done.seen})

    return router
