"""How this dashboard is open: read once from the settings, handed to whoever decides by it."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from typing import Self

from harness.errors import MatrixError
from runner.core.access import Listed, Roles, SignIn, is_loopback
from runner.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthApp:
    """The app at GitHub that people sign in with."""

    client: str
    secret: str = field(repr=False)
    #: where people are sent, and where its API is
    url: str = "https://github.com"
    api: str = "https://api.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How people sign in, and who may do what."""

    sign_in: SignIn
    roles: Roles
    #: address at which people reach the dashboard
    url: str
    app: OAuthApp | None = None
    lasts: timedelta = timedelta(hours=12)
    #: what the forms of the local user carry; another one each time the dashboard starts
    local_csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def secure(self) -> bool:
        """Whether cookies are for https alone."""
        return self.url.startswith("https://")

    @property
    def callback(self) -> str:
        return f"{self.url}/signin/callback"

    @property
    def cookie(self) -> str:
        """Under that prefix no other host can set it, and none of ours without https."""
        return "__Host-export-matrix" if self.secure else "export-matrix"

    @classmethod
    def of(cls, has: Settings, host: str | None = None) -> Self:
        """`MatrixError` if sign-in is asked for and something it needs is not set."""
        roles = Roles(
            readers=Listed.read(has.readers),
            triagers=Listed.read(has.triagers),
            admins=Listed.read(has.admins),
        )
        return cls(
            sign_in=_mode(has, host or has.host),
            roles=roles,
            url=has.dashboard_url,
            app=_app(has),
            lasts=timedelta(hours=has.session_hours),
        )


def _app(has: Settings) -> OAuthApp | None:
    if not has.oauth_client or has.oauth_secret is None:
        return None
    return OAuthApp(
        client=has.oauth_client,
        secret=has.oauth_secret.get_secret_value(),
        url=has.github_url.rstrip("/"),
        api=has.github_api.rstrip("/"),
    )


def _mode(has: Settings, host: str) -> SignIn:
    app, mode = _app(has), has.sign_in
    if mode == "auto":
        mode = "github" if app else "local" if is_loopback(host) else "none"
    if mode == "github" and (app is None or not _reachable(has)):
        raise MatrixError(
            "signing in with GitHub needs EXPORT_MATRIX_OAUTH_CLIENT, EXPORT_MATRIX_OAUTH_SECRET "
            "and EXPORT_MATRIX_PUBLIC_URL (https://…)"
        )
    if mode == "github" and find_spec("authlib") is None:
        raise MatrixError("signing in needs: pip install 'export-matrix[signin]'")
    if mode == "local" and not is_loopback(host):
        raise MatrixError(
            f"a single user without signing in is for loopback, not for {host}; set "
            "EXPORT_MATRIX_SIGN_IN=github or none"
        )
    return SignIn(mode)


def _reachable(has: Settings) -> bool:
    """Whether GitHub can send people back, and nobody can read along."""
    scheme, _, rest = has.dashboard_url.partition("://")
    return scheme == "https" or is_loopback(rest.partition("/")[0])
