"""Remembers what was answered, for as long as the database has not changed.

- What is remembered was made while the database was in the state that it is in now (`Watch`). Pages
  tell how long ago things were: what tells of minutes, or of what goes on, is at most a minute old,
  the rest ten.
- It is given only to the same visitor, whom `signin` has let in. What is streamed, sets a cookie,
  is no success, or says `no-store`, is not remembered.
- It is kept packed, up to a bound; an `ETag` is its content, so that a browser that has it is told
  so in no bytes. Several who ask for the same at once wait for one answer.
"""

import asyncio
import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.signin.visitors import NOBODY

_MOST_BYTES = 48 * 2**20
_LARGEST = 16 * 2**20
_SECONDS = 600.0
_YOUNG_SECONDS = 60.0
#: looked for one by one, which is twenty times faster in a megabyte than one pattern of all
_YOUNG = (b"just now", b"min ago", b"running")
_LEVEL = 3
_LEFT_OUT = ("/static/", "/healthz", "/readyz", "/metrics")
_VARY = "Cookie, Authorization, Accept-Encoding"

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer, ready to be sent again."""

    headers: tuple[tuple[bytes, bytes], ...]
    #: gzip
    packed: bytes
    etag: str
    state: str
    until: float

    def good(self, state: str) -> bool:
        return self.state == state and time.monotonic() < self.until


class Caching:
    """Middleware of an application that reads one database.

    `fresh_s` is for how long the database's state is taken for known. `on_write` is called after
    every request that may have changed something.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        state: Callable[[], str],
        fresh_s: float = 0.0,
        on_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._app, self._ask, self._fresh_s, self._on_write = app, state, fresh_s, on_write
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._bytes = 0
        self._making: dict[Key, asyncio.Lock] = {}
        self._known, self._known_until = "", 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_LEFT_OUT):
            await self._app(scope, receive, send)
        elif scope["method"] != "GET":
            await self._app(scope, receive, send)
            self._known_until = 0.0
            self._on_write()
        else:
            await self._get(scope, receive, send)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        who = scope.get("state", {}).get("visitor", NOBODY)
        place = scope["path"], scope["query_string"], headers.get("host")
        key: Key = (*place, who.name, who.role, who.csrf)
        state = await self._state()
        found = self._answers.get(key)
        if found is not None and found.good(state):
            self._answers.move_to_end(key)
            await _send(found, headers, send, packed=who.session is None)
            return
        making = self._making.setdefault(key, asyncio.Lock())
        try:
            async with making:
                found = self._answers.get(key)
                if found is None or not found.good(state):
                    made = _Made(send)
                    await self._app(scope, receive, made)
                    found = await made.answer(state)
                    if found is None:
                        return
                    self._keep(key, found)
        finally:
            if not making.locked():
                self._making.pop(key, None)
        await _send(found, headers, send, packed=who.session is None)

    async def _state(self) -> str:
        now = time.monotonic()
        if now >= self._known_until:
            self._known = await run_in_threadpool(self._ask)
            self._known_until = now + self._fresh_s
        return self._known

    def _keep(self, key: Key, answer: Answer) -> None:
        self._drop(key)
        self._answers[key] = answer
        self._bytes += len(answer.packed)
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: Key) -> None:
        if key in self._answers:
            self._bytes -= len(self._answers.pop(key).packed)


class _Made:
    """Takes what the application sends: a whole success aside, anything else straight on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _whole(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    async def answer(self, state: str) -> Answer | None:
        """None if it was sent already."""
        if self._start is None:
            return None
        body = bytes(self._body)
        seconds = _YOUNG_SECONDS if any(each in body for each in _YOUNG) else _SECONDS
        return Answer(
            headers=tuple(
                pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"
            ),
            packed=await run_in_threadpool(gzip.compress, body, _LEVEL, mtime=0),
            etag=f'W/"{hashlib.sha256(body).hexdigest()[:24]}"',
            state=state,
            until=time.monotonic() + seconds,
        )


def _whole(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    length = headers.get("content-length", "")
    return (
        start["status"] == 200
        and length.isdecimal()
        and int(length) <= _LARGEST
        and "set-cookie" not in headers
        and "no-store" not in headers.get("cache-control", "")
    )


async def _send(answer: Answer, asked: Headers, send: Send, *, packed: bool) -> None:
    headers = MutableHeaders(raw=list(answer.headers))
    headers["ETag"] = answer.etag
    headers.setdefault("Cache-Control", "private, no-cache")
    headers["Vary"] = _VARY
    if _has(asked, answer.etag):
        del headers["Content-Type"]
        await send({"type": "http.response.start", "status": 304, "headers": headers.raw})
        await send({"type": "http.response.body", "body": b""})
        return
    body = answer.packed
    # What is for one person is not packed on the way: its length would tell of a secret in it.
    if packed and "gzip" in asked.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    headers["Content-Length"] = str(len(body))
    await send({"type": "http.response.start", "status": 200, "headers": headers.raw})
    await send({"type": "http.response.body", "body": body})


def _has(asked: Headers, etag: str) -> bool:
    return etag in (each.strip() for each in asked.get("if-none-match", "").split(","))
