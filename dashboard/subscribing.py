"""`/api/v1/subscriptions`: webhooks of searches, for bearers of a token that may triage."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.exceptions import HTTPException

from dashboard.signin.visitors import Visitor, require
from harness.errors import SelectionError
from runner.core.access import Role
from runner.steps.subscribing import new_subscription
from runner.store.engine import Engine
from runner.store.subscriptions import Subscription, active, unsubscribe

#: bytes of a body
_LARGEST = 2**20
Number = Annotated[int, Path(ge=1, lt=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Where to, and which search."""

    url: str
    search: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Somebody who is told; the secret is there once, in the answer to who asked for it."""

    id: int
    url: str
    search: str
    created_at: datetime
    created_by: str
    told_at: datetime | None
    secret: str | None = None


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(prefix="/api/v1/subscriptions", max_body_size=_LARGEST)

    @router.get("", summary="Who is told of searches")
    def listed(request: Request) -> Sequence[Told]:
        _bearer(request)
        return [_told(each) for each in active(engine)]

    @router.post("", status_code=201, summary="Be told of a search by a webhook")
    def made(request: Request, wanted: Wanted) -> Told:
        who = _bearer(request)
        try:
            found = new_subscription(engine, wanted.url, wanted.search, by=who.name or "")
        except SelectionError as error:
            raise HTTPException(400, str(error)) from None
        return _told(found, secret=found.secret)

    @router.delete("/{number}", status_code=204, summary="Be told no more")
    def ended(request: Request, number: Number) -> Response:
        _bearer(request)
        unsubscribe(engine, number)
        return Response(status_code=204)

    return router


def _bearer(request: Request) -> Visitor:
    """Who asks, by a token alone: no page elsewhere can have a browser send it."""
    found = require(request, Role.TRIAGER)
    if found.csrf is not None:
        raise HTTPException(401, "send a token: export-matrix token create NAME --scope triage")
    return found


def _told(found: Subscription, *, secret: str | None = None) -> Told:
    return Told(
        id=found.id,
        url=found.url,
        search=found.search,
        created_at=found.created_at,
        created_by=found.created_by,
        told_at=found.told_at,
        secret=secret,
    )
