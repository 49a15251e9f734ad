"""Saying something of failure groups: the forms, the same for scripts, and the log of it all.

- What can't be said, or comes too late, is told with all that was typed still there; who has seen
  what the other person did may say it all the same.
- Forms need a triager and come from our own pages (`dashboard.signin`); scripts send a token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dashboard.pages.groups import ASKED, Asked, all_wanted
from dashboard.pages.runs import Before
from dashboard.rendering import render
from dashboard.signin.visitors import form, visitor
from harness.errors import ConflictError, SelectionError, TriageError
from runner.core.access import Role
from runner.core.triage import Edit, State
from runner.steps import triaging
from runner.steps.triaging import Triaged, group_named, with_triage
from runner.store import reads, triages
from runner.store.engine import Engine
from runner.store.triages import Entry

_FIELDS = tuple(each.name for each in fields(Edit))
#: in a form for many groups an empty field leaves what is there; this clears it
CLEAR = "-"
_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The newest entries of the log, newest first."""

    entries: tuple[Entry, ...]
    #: of a group, of somebody
    group: str | None
    who: str | None
    #: address of the entries before, if there are any
    earlier: str | None


def log_page(
    engine: Engine, *, group: str | None = None, who: str | None = None, before: int | None = None
) -> LogPage:
    found = triages.log(engine, signature=group, who=who, before_id=before, limit=_PAGE + 1)
    told = {"group": group, "who": who, "before": found[_PAGE - 1].id if len(found) > _PAGE else ""}
    query = urlencode({name: value for name, value in told.items() if value})
    return LogPage(
        entries=tuple(found[:_PAGE]),
        group=group,
        who=who,
        earlier=f"/triage?{query}" if len(found) > _PAGE else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainPage:
    """What was typed and not done, why, and what somebody else did meanwhile."""

    problem: str
    #: where the form goes
    action: str
    #: the groups as they are now
    groups: tuple[Triaged, ...]
    #: of each that somebody changed, what they did since it was seen
    meanwhile: Mapping[str, tuple[Entry, ...]]
    typed: Mapping[str, str]
    states: tuple[str, ...] = tuple(State)
    #: an empty field leaves what is there
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was sent: where to, of which groups (and the versions seen), and what was typed."""

    action: str
    seen: Mapping[str, int | None]
    typed: Mapping[str, str]
    many: bool = False


def _seen_of(sent: Mapping[str, Sequence[str]]) -> dict[str, int | None]:
    """signature -> version, of the boxes that were ticked: `s3-0123456789ab:4`."""
    pairs = [each.rpartition(":") for each in sent.get("group", ())]
    return {name: _number(version) for name, _, version in pairs if name}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _edit_many(typed: Mapping[str, str]) -> Edit:
    told = {name: "" if text == CLEAR else text for name, text in typed.items() if text}
    return Edit(**told)


def _again(engine: Engine, error: TriageError, form: Form) -> AgainPage:
    late = error.signatures if isinstance(error, ConflictError) else ()
    known = [reads.named_group(engine, name) for name in form.seen]
    newest = next(iter(reads.runs(engine, limit=1)), None)
    now = with_triage(engine, [each for each in known if each], newest)
    since = {each.signature: each.triage.version - (form.seen[each.signature] or 0) for each in now}
    return AgainPage(
        problem=str(error),
        action=form.action,
        groups=tuple(now),
        meanwhile={
            name: tuple(triages.log(engine, signature=name, limit=max(1, since[name])))
            for name in late
        },
        typed=form.typed,
        many=form.many,
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/triage.json")
    def log_json(
        group: str | None = None, who: str | None = None, before: Before = None
    ) -> LogPage:
        return log_page(engine, group=group, who=who, before=before)

    @router.get("/triage", include_in_schema=False)
    def log_html(
        request: Request,
        group: str | None = None,
        who: str | None = None,
        before: Before = None,
    ) -> Response:
        page = log_page(engine, group=group, who=who, before=before)
        return render(request, "triage.html", page, title="Triage log")

    _add_forms(router, engine)
    return router


def _add_forms(router: APIRouter, engine: Engine) -> None:
    @router.post("/groups/triage", include_in_schema=False)
    async def many(request: Request) -> Response:
        sent = await form(request, Role.TRIAGER)
        return await run_in_threadpool(_many, engine, request, sent)

    @router.post("/groups/{signature}/triage", include_in_schema=False)
    async def one(request: Request, signature: str) -> Response:
        sent = await form(request, Role.TRIAGER)
        return await run_in_threadpool(_one, engine, request, signature, sent)

    @router.post("/groups/{signature}/{how}", include_in_schema=False)
    async def regroup(request: Request, signature: str, how: str) -> Response:
        sent = await form(request, Role.TRIAGER)
        if how not in ("merge", "split", "apart"):
            raise HTTPException(404, "There is no such page.")
        return await run_in_threadpool(_regroup, engine, request, signature, how, sent)


def _one(
    engine: Engine, request: Request, signature: str, sent: Mapping[str, Sequence[str]]
) -> Response:
    typed = {name: sent[name][0] for name in _FIELDS if name in sent}
    seen = {signature: _number(sent.get("version", [""])[0])}
    form = Form(action=f"/groups/{signature}/triage", seen=seen, typed=typed)
    try:
        triaging.edit(engine, seen, Edit(**typed), who=_who(request))
    except TriageError as error:
        return _not_done(engine, request, error, form)
    return RedirectResponse(f"/groups/{signature}#triage", status_code=303)


def _many(engine: Engine, request: Request, sent: Mapping[str, Sequence[str]]) -> Response:
    typed = {name: sent.get(name, [""])[0].strip() for name in _FIELDS}
    told: dict[str, Any] = {name: sent.get(f"asked_{name}", [""])[0] for name in ASKED}
    asked = Asked(**{name: value for name, value in told.items() if value})
    seen = _seen_of(sent)
    every = bool(sent.get("all", [""])[0])
    if every:
        seen = dict.fromkeys(all_wanted(engine, asked))
    form = Form(action="/groups/triage", seen=seen, typed=typed, many=True)
    try:
        _do(engine, form, who=_who(request), over=asked.q if every else None)
        if into := sent.get("into", [""])[0].strip():
            target = group_named(engine, into)
            others = [name for name in seen if name != target]
            triaging.merge(engine, others, target, who=_who(request))
    except TriageError as error:
        return _not_done(engine, request, error, form)
    return RedirectResponse(asked.address(), status_code=303)


def _do(engine: Engine, form: Form, *, who: str, over: str | None) -> None:
    if not form.seen:
        raise TriageError("tick the groups that you mean")
    edit = _edit_many(form.typed)
    if not edit.empty:
        triaging.edit(engine, form.seen, edit, who=who, over=over)


def _regroup(
    engine: Engine,
    request: Request,
    signature: str,
    how: str,
    sent: Mapping[str, Sequence[str]],
) -> Response:
    who, other = _who(request), sent.get("other", [""])[0].strip()
    try:
        if how == "merge":
            signature, other = group_named(engine, other), signature
            triaging.merge(engine, [other], signature, who=who)
        elif how == "split":
            title = sent.get("title", [""])[0]
            signature = triaging.split(engine, signature, who=who, cells=other, title=title)
        else:
            triaging.take_apart(engine, other, signature, who=who)
            signature = other  # a group that was split off has no cells any more, and no page
    except (SelectionError, TriageError) as error:
        raise HTTPException(422, str(error)) from None
    return RedirectResponse(f"/groups/{signature}#triage", status_code=303)


def _not_done(engine: Engine, request: Request, error: TriageError, form: Form) -> Response:
    status = 409 if isinstance(error, ConflictError) else 422
    return render(
        request, "again.html", _again(engine, error, form), status=status, title="Not done"
    )


def _who(request: Request) -> str:
    return visitor(request).name or "nobody"
