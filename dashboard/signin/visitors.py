"""Who a request is from, and whether they may do what it asks.

1. The bearer of a token of scope `triage` or `read`: a script. Nothing sends a token by itself, so
   that no page elsewhere can have it sent.
2. On loopback without sign-in: the user of this machine, if the request was made to a name of this
   machine, not to one that somebody else's name server resolves to it, and came through no proxy.
3. The session of a cookie.
4. A stranger.

Those of 2 and 3 change something by forms that carry their own secret, from our own pages alone.
"""

import getpass
import hmac
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dashboard.signin.access import Access
from runner.core.access import Role, SignIn, is_loopback
from runner.core.plain import storable
from runner.store.engine import Engine
from runner.store.sessions import Session, session_of
from runner.store.tokens import token_of

#: what has its own keeper, or nothing to hide
_OPEN = ("/static/", "/signin", "/healthz", "/readyz", "/webhooks/", "/api/v1/runs/")
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")
_LARGEST_FORM = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is asking."""

    #: None for a stranger
    name: str | None = None
    role: Role | None = None
    #: what their forms carry; None where forms don't come from
    csrf: str | None = field(default=None, repr=False)
    session: Session | None = None
    #: the host of the address at which people reach the dashboard, which a proxy may call otherwise
    host: str = ""
    sign_in: SignIn = SignIn.NONE

    @property
    def triages(self) -> bool:
        """Whether pages offer them forms."""
        return self.csrf is not None and self.may(Role.TRIAGER)

    def may(self, wanted: Role) -> bool:
        return self.role is not None and self.role.allows(wanted)


NOBODY = Visitor()


def visitor(request: Request) -> Visitor:
    """Who the request is from."""
    found: Visitor = getattr(request.state, "visitor", NOBODY)
    return found


Next = Callable[[Request], Awaitable[Response]]
#: an answer that refuses: the status, and why
Refuse = Callable[[Request, int, str], Response]


def keeper(
    engine: Engine, access: Access, refuse: Refuse
) -> Callable[[Request, Next], Awaitable[Response]]:
    """The middleware that looks who is asking, and keeps out who may not read."""

    async def keep(request: Request, call_next: Next) -> Response:
        found = await run_in_threadpool(_who, request, engine, access)
        request.state.visitor = found
        if found.role is None and not request.url.path.startswith(_OPEN):
            return _kept_out(request, found, refuse)
        response = await call_next(request)
        if found.name is not None:
            response.headers.setdefault("Cache-Control", "private, no-cache")
            response.headers.append("Vary", "Cookie, Authorization")
        return response

    return keep


def _who(request: Request, engine: Engine, access: Access) -> Visitor:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and not request.url.path.startswith("/api/v1/runs/"):
        token = token_of(engine, secret.strip())
        if token is not None and token.scope.role is not None:
            return Visitor(name=f"token {token.id} ({token.project})", role=token.scope.role)
    if access.sign_in is SignIn.LOCAL and _is_local(request):
        return Visitor(
            name=whoever(),
            role=Role.ADMIN,
            csrf=access.local_csrf,
            sign_in=SignIn.LOCAL,
        )
    known = request.cookies.get(access.cookie)
    session = session_of(engine, known) if known else None
    if known is None or session is None:
        return Visitor(role=access.roles.of_strangers, sign_in=access.sign_in)
    return Visitor(
        name=session.login,
        role=access.roles.of(session.login, session.memberships),
        csrf=csrf_of(known),
        session=session,
        host=urlsplit(access.url).netloc,
        sign_in=access.sign_in,
    )


def csrf_of(secret: str) -> str:
    """What the forms of a session carry: it tells nothing of the session's secret."""
    return hmac.new(secret.encode(), b"forms", "sha256").hexdigest()


def whoever() -> str:
    """The user's name on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _is_local(request: Request) -> bool:
    proxied = any(name in request.headers for name in _PROXIED)
    return not proxied and is_loopback(request.headers.get("host", ""))


def _kept_out(request: Request, found: Visitor, refuse: Refuse) -> Response:
    page = request.method == "GET" and not request.url.path.endswith((".json", ".xml", ".svg"))
    if page and found.name is None and found.sign_in is SignIn.GITHUB:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/signin?next={quote(path)}", status_code=303)
    told = "sign in, or send a token" if found.name is None else f"{found.name} may not read here"
    return refuse(request, 401 if found.name is None else 403, told)


def require(request: Request, wanted: Role) -> Visitor:
    """Who the request is from, who may do that; 401 or 403 otherwise."""
    found = visitor(request)
    if not found.may(wanted):
        told = f"this needs a {wanted}" + ("; sign in" if found.name is None else "")
        raise HTTPException(401 if found.name is None else 403, told)
    return found


async def form(request: Request, wanted: Role | None = None) -> Mapping[str, list[str]]:
    """The fields of a form of our own that its sender may send; the empty ones too."""
    found = visitor(request) if wanted is None else require(request, wanted)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST_FORM:
            raise HTTPException(413, "the form is too large")
    sent = _fields(bytes(body))
    if not _is_own(request, found, sent.get("csrf", [""])[0]):
        raise HTTPException(403, "the form is not from a page of this dashboard; load it again")
    return sent


def _fields(body: bytes) -> dict[str, list[str]]:
    try:
        sent = parse_qs(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=5000
        )
        return {name: [storable(each) for each in values] for name, values in sent.items()}
    except ValueError:
        raise HTTPException(400, "the form has too many fields") from None


def _is_own(request: Request, found: Visitor, csrf: str) -> bool:
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), found.host}
    elsewhere = origin is not None and urlsplit(origin).netloc not in own - {"", None}
    site = request.headers.get("sec-fetch-site", "same-origin")
    if elsewhere or site not in ("same-origin", "none") or found.csrf is None:
        return False
    return hmac.compare_digest(found.csrf.encode(), csrf.encode())
