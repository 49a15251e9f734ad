"""`/access` and `/signin`: who I am here, and who else has signed in."""

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dashboard.pages.pulls import Number
from dashboard.rendering import render
from dashboard.signin.access import Access
from dashboard.signin.visitors import form, visitor
from runner.core.access import Role, SignIn, safe_next
from runner.store import sessions
from runner.store.engine import Engine
from runner.store.sessions import Session
from runner.store.tokens import Token, all_tokens, revoke_token


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPage:
    """Who is asking, what they may do, and who else may."""

    name: str | None
    role: Role | None
    sign_in: SignIn
    #: where to go on after signing in
    next: str
    #: of an admin all, of others their own
    sessions: tuple[Session, ...]
    #: the one that this is seen with
    session: int | None
    #: for admins
    tokens: tuple[Token, ...]


def access_page(engine: Engine, access: Access, request: Request, path: str = "/") -> AccessPage:
    found = visitor(request)
    admin = found.may(Role.ADMIN)
    own = () if found.name is None else tuple(sessions.sessions(engine, login=found.name))
    return AccessPage(
        name=found.name,
        role=found.role,
        sign_in=access.sign_in,
        next=safe_next(path),
        sessions=tuple(sessions.sessions(engine)) if admin else own,
        session=found.session.id if found.session else None,
        tokens=tuple(all_tokens(engine)) if admin else (),
    )


def routes(engine: Engine, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get("/access.json")
    def access_json(request: Request) -> AccessPage:
        return access_page(engine, access, request)

    @router.get("/access", include_in_schema=False)
    def access_html(request: Request) -> Response:
        page = access_page(engine, access, request)
        return render(request, "access.html", page, title="Access")

    @router.get("/signin", include_in_schema=False)
    def signin(request: Request, next: str = "/") -> Response:
        page = access_page(engine, access, request, next)
        return render(request, "access.html", page, title="Sign in", twin=False)

    @router.post("/access/sessions/{number}/end", include_in_schema=False)
    async def end(request: Request, number: Number) -> Response:
        await form(request)
        found = visitor(request)
        whose = None if found.may(Role.ADMIN) else found.name
        if not await run_in_threadpool(sessions.end, engine, number, login=whose):
            raise HTTPException(404, "you have no such session")
        return RedirectResponse("/access", status_code=303)

    @router.post("/access/tokens/{number}/revoke", include_in_schema=False)
    async def revoke(request: Request, number: Number) -> Response:
        await form(request, Role.ADMIN)
        await run_in_threadpool(revoke_token, engine, number)
        return RedirectResponse("/access", status_code=303)

    return router
