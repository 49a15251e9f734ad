"""Signing in with GitHub: the way there and back, and what is asked there.

Authlib makes and reads what OAuth has people carry (state, PKCE); httpx2 sends. The token is used
for who somebody is and what they are a member of, and is not kept.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client

from dashboard.signin.access import Access, OAuthApp
from harness.errors import GitHubError

_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Who somebody is, at GitHub."""

    login: str
    #: of the organisations and teams that decide roles, in lower case
    memberships: frozenset[str]


def way_there(access: Access, app: OAuthApp, *, state: str, verifier: str) -> str:
    """The page at GitHub on which people say yes."""
    url, _ = _client(access, app, None).create_authorization_url(
        f"{app.url}/login/oauth/authorize", state=state, code_verifier=verifier
    )
    return str(url)


def way_back(access: Access, app: OAuthApp, *, code: str, verifier: str) -> Signed:
    """Who comes back with that code; `GitHubError` if GitHub does not say."""
    with httpx2.Client(timeout=_TIMEOUT_S) as session:
        try:
            token = _client(access, app, session).fetch_token(
                f"{app.url}/login/oauth/access_token",
                code=code,
                code_verifier=verifier,
                # GitHub documents these as fields; the library's own way is a header.
                client_id=app.client,
                client_secret=app.secret,
                auth=_as_it_is,
            )
            return _signed(session, app, str(token["access_token"]), access.roles.groups)
        except (AuthlibBaseError, httpx2.HTTPError, ValueError, KeyError) as error:
            told = " ".join(str(error).split())[:200] or type(error).__name__
            raise GitHubError(f"GitHub does not say who you are: {told}") from None


def _client(access: Access, app: OAuthApp, session: httpx2.Client | None) -> OAuth2Client:
    return OAuth2Client(
        session,
        client_id=app.client,
        redirect_uri=access.callback,
        # to see who is in a team; without teams nothing but the name is asked for
        scope="read:org" if access.roles.groups else "",
        code_challenge_method="S256",
    )


def _as_it_is(request: httpx2.Request) -> httpx2.Request:
    return request


def _signed(session: httpx2.Client, app: OAuthApp, token: str, groups: Collection[str]) -> Signed:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}

    def asked(path: str) -> Any:  # noqa: ANN401  (JSON)
        answer = session.get(f"{app.api}{path}", headers=headers)
        if answer.status_code in (403, 404):  # not a member, or the team is not to be seen
            return {}
        return answer.raise_for_status().json()

    login = str(asked("/user")["login"])
    found = set()
    for group in sorted(groups):
        org, _, team = group.partition("/")
        path = f"/orgs/{quote(org)}/teams/{quote(team)}/memberships/{quote(login)}"
        if asked(path if team else f"/user/memberships/orgs/{quote(org)}").get("state") == "active":
            found.add(group)
    return Signed(login=login, memberships=frozenset(found))
