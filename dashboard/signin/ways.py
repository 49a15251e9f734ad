"""`/signin/github`, `/signin/callback` and `/signout`: into a session and out of it.

What a way to GitHub began with (state, PKCE, where to go on) waits in a cookie of ten minutes: who
comes back without it did not begin here.
"""

import base64
import binascii
import hmac
import secrets
from urllib.parse import quote, unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dashboard.signin.access import Access, OAuthApp
from dashboard.signin.visitors import form, visitor
from harness.errors import GitHubError
from runner.core.access import SignIn, safe_next
from runner.store import sessions
from runner.store.engine import Engine

_WAY_S = 600


def routes(engine: Engine, access: Access) -> APIRouter:
    router = APIRouter()

    @router.get("/signin/github", include_in_schema=False)
    def there(next: str = "/") -> Response:
        return _there(access, safe_next(next))

    @router.get("/signin/callback", include_in_schema=False)
    def back(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
        if error or not code:
            raise HTTPException(403, f"GitHub did not sign you in: {error[:100] or 'no code'}")
        return _back(engine, access, request, code=code, state=state)

    @router.post("/signout", include_in_schema=False)
    async def signout(request: Request) -> Response:
        await form(request)
        found = visitor(request)
        if found.session is not None:
            await run_in_threadpool(sessions.end, engine, found.session.id)
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True)
        return answer

    return router


def _app(access: Access) -> OAuthApp:
    if access.sign_in is not SignIn.GITHUB or access.app is None:
        raise HTTPException(404, "signing in with GitHub is not set up here")
    return access.app


def _there(access: Access, path: str) -> Response:
    app = _app(access)
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    from dashboard.signin import github  # noqa: PLC0415  (an extra)

    url = github.way_there(access, app, state=state, verifier=verifier)
    answer = RedirectResponse(url, status_code=303)
    packed = base64.urlsafe_b64encode(quote(path).encode()).decode()
    answer.set_cookie(
        f"{access.cookie}-way",
        f"{state}.{verifier}.{packed}",
        max_age=_WAY_S,
        path="/",
        secure=access.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


def _back(engine: Engine, access: Access, request: Request, *, code: str, state: str) -> Response:
    app = _app(access)
    way = request.cookies.get(f"{access.cookie}-way", "").split(".")
    began, verifier, packed = way if len(way) == 3 else ("", "", "")
    if not began or not hmac.compare_digest(began.encode(), state.encode()):
        raise HTTPException(403, "this way to sign in did not begin here; sign in again")
    from dashboard.signin import github  # noqa: PLC0415  (an extra)

    try:
        signed = github.way_back(access, app, code=code, verifier=verifier)
    except GitHubError as error:
        raise HTTPException(502, str(error)) from None
    _, secret = sessions.begin(engine, signed.login, signed.memberships, lasts=access.lasts)
    answer = RedirectResponse(safe_next(_unpacked(packed)), status_code=303)
    answer.delete_cookie(f"{access.cookie}-way", path="/", secure=access.secure, httponly=True)
    answer.set_cookie(
        access.cookie,
        secret,
        max_age=int(access.lasts.total_seconds()),
        path="/",
        secure=access.secure,
        httponly=True,
        samesite="lax",
    )
    return answer


def _unpacked(packed: str) -> str:
    try:
        return unquote(base64.urlsafe_b64decode(packed).decode())
    except (binascii.Error, UnicodeDecodeError):
        return "/"
