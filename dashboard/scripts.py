"""`POST /api/v1/groups/{group}/triage` and `/api/v1/triage`: what scripts say of failure groups.

A token of scope `triage` is the bearer. A browser's cookie, or being on this machine, is not enough
here: there is no form to show that a page of ours was meant.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from dashboard.signin.visitors import require
from harness.errors import ConflictError, TriageError
from runner.core.access import Role
from runner.core.query.reader import parse
from runner.core.triage import UNTOUCHED, Edit, Triage
from runner.steps import triaging
from runner.steps.triaging import group_named
from runner.store import reads, triages
from runner.store.engine import Engine

#: bytes of a body
_LARGEST = 2**20
_FIELDS = tuple(each.name for each in fields(Edit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Edit):
    """What a script says of a group: the fields that it names change."""

    #: the version that it has seen; with another one there, nothing is changed
    version: int | None = None

    @property
    def edit(self) -> Edit:
        return Edit(**{name: getattr(self, name) for name in _FIELDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfMany(Said):
    """What a script says of groups: those that it names, or that have cells a SELECT means."""

    groups: tuple[str, ...] = ()
    over: str | None = None


def routes(engine: Engine) -> APIRouter:
    router = APIRouter(max_body_size=_LARGEST)

    @router.post("/api/v1/groups/{signature}/triage")
    def one(request: Request, signature: str, said: Said) -> Response:
        """Say something of a group; needs a token of scope `triage`."""
        seen: dict[str, int | None] = {group_named(engine, signature): said.version}
        return _said(engine, request, seen, said.edit, over=None)

    @router.post("/api/v1/triage")
    def many(request: Request, said: SaidOfMany) -> Response:
        """Say something of groups, all or none; needs a token of scope `triage`."""
        _script(request)
        names = [group_named(engine, name) for name in said.groups]
        if said.over:
            newest = reads.run(engine, "latest")
            names += triaging.found_by(engine, newest, parse(said.over))
        return _said(engine, request, dict.fromkeys(names), said.edit, over=said.over)

    return router


def _script(request: Request) -> str:
    """Who sends a token: a browser's cookie, or being on this machine, is not enough here."""
    found = require(request, Role.TRIAGER)
    if found.csrf is not None:
        raise HTTPException(403, "send a token of scope triage; forms are for people")
    return found.name or "nobody"


def _said(
    engine: Engine,
    request: Request,
    seen: Mapping[str, int | None],
    edit: Edit,
    *,
    over: str | None,
) -> Response:
    who = _script(request)
    try:
        triaging.edit(engine, seen, edit, who=who, over=over)
    except ConflictError as error:
        told = {"error": str(error), "groups": list(error.signatures)}
        return JSONResponse(told, status_code=409)
    except TriageError as error:
        return JSONResponse({"error": str(error)}, status_code=422)
    now = triages.triages(engine, [*seen])
    return JSONResponse({name: _record(now.get(name, UNTOUCHED)) for name in seen})


def _record(found: Triage) -> dict[str, Any]:
    at = found.changed_at
    return asdict(found) | {"changed_at": at.isoformat() if at else None}
