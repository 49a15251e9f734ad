"""Requests to GitHub, as an App's installation or with a token; sent again by `waiting`'s rules.

gidgethub spells requests, reads answers and signs an App's tokens; httpx2 sends. Whoever calls is
no coroutine, so each request has an event loop of its own.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any

import gidgethub
import httpx2
from gidgethub import abc, apps
from typing_extensions import override

from harness.errors import GitHubError
from runner.bot.waiting import PATIENCE_S, TRIES, limited, wait_for_limit, wait_for_repair

_NAME = "export-matrix"
_TIMEOUT_S = 30.0
_EARLY_S = 300.0
#: what an installation's token may do, and no more
_PERMISSIONS = {
    "checks": "write",
    "contents": "read",
    "issues": "write",
    "members": "read",
    "pull_requests": "write",
}
_ACTIONS = "github-actions[bot]"
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App: its id, and the private key that signs for it."""

    id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Somebody's token, or that of a job in Actions."""

    secret: str = field(repr=False)


Who = App | Token


class UnsureError(GitHubError):
    """A POST of which nobody knows whether it was done."""


class _Api(abc.GitHubAPI):
    def __init__(self, client: httpx2.Client, address: str) -> None:
        super().__init__(_NAME, base_url=address)
        self._client = client

    @override
    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = self._client.request(method, url, headers=dict(headers), content=body)
        return answer.status_code, answer.headers, answer.content

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class GitHub:
    """One repository on GitHub, as one who may post there."""

    def __init__(
        self,
        address: str,
        who: Who,
        repository: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.repository = repository
        self._who = who
        self._sleep = sleep
        self._client = httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=True)
        self._address = address.rstrip("/")
        self._api = _Api(self._client, self._address)
        self._token = "", 0.0
        self._login = ""

    def close(self) -> None:
        self._client.close()

    def pause(self, seconds: float) -> None:
        self._sleep(seconds)

    @property
    def login(self) -> str:
        """Whose comments ours are."""
        if not self._login:
            self._login = self._named()
        return self._login

    def get(self, path: str) -> Any:  # noqa: ANN401  (JSON)
        return self._asked("GET", lambda token: self._api.getitem(path, oauth_token=token))

    def find(self, path: str) -> Any:  # noqa: ANN401  (JSON)
        """What is there; None if nothing is, or nothing that we may see."""
        try:
            return self.get(path)
        except MissingError:
            return None

    def all(self, path: str, *, key: str = "items") -> list[Any]:
        """All pages of a listing; `key` is where a page has its items, if it is no list."""
        paged = f"{path}{'&' if '?' in path else '?'}per_page={_PAGE}"

        async def listed(token: str) -> list[Any]:
            pages = self._api.getiter(paged, oauth_token=token, iterable_key=key)
            return [item async for item in pages]

        found: list[Any] = self._asked("GET", listed)
        return found

    def post(self, path: str, data: object) -> Any:  # noqa: ANN401  (JSON)
        """`UnsureError` if nobody knows whether it was done."""
        return self._asked("POST", lambda token: self._api.post(path, data=data, oauth_token=token))

    def patch(self, path: str, data: object) -> Any:  # noqa: ANN401  (JSON)
        return self._asked(
            "PATCH", lambda token: self._api.patch(path, data=data, oauth_token=token)
        )

    def delete(self, path: str) -> None:
        self._asked("DELETE", lambda token: self._api.delete(path, oauth_token=token))

    def download(self, path: str, into: IO[bytes], *, largest: int) -> None:
        """Write what is there into a file; `RefusedError` if it is larger than that."""
        for attempt in range(1, TRIES + 1):
            try:
                self._streamed(path, into, largest)
                break
            except (httpx2.TransportError, httpx2.HTTPStatusError) as error:
                if attempt == TRIES or _for_good(error):
                    raise GitHubError(
                        f"GitHub: {_told(error)}", later_s=wait_for_repair(attempt)
                    ) from None
                self._sleep(wait_for_repair(attempt))

    def _streamed(self, path: str, into: IO[bytes], largest: int) -> None:
        into.seek(0)
        into.truncate()
        # Where it leads elsewhere, the token stays here: httpx2 takes it off.
        headers = {"Authorization": f"Bearer {self._authorised()}"}
        with self._client.stream("GET", self._address + path, headers=headers) as answer:
            answer.raise_for_status()
            for part in answer.iter_raw():
                into.write(part)
                if into.tell() > largest:
                    raise RefusedError(f"{path} is larger than {largest:,} bytes")
        into.flush()

    def _asked(self, method: str, request: Callable[[str], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401  (JSON)
        token = self._authorised()
        return self._sent(method, lambda: request(token))

    def _sent(self, method: str, request: Callable[[], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401  (JSON)
        for attempt in range(1, TRIES + 1):
            try:
                return asyncio.run(request())
            except (gidgethub.HTTPException, httpx2.TransportError) as error:
                wait = self._wait(method, error, attempt)
                if attempt == TRIES or wait > PATIENCE_S:
                    raise GitHubError(f"GitHub: {_told(error)}", later_s=wait) from None
                self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait(
        self, method: str, error: gidgethub.HTTPException | httpx2.TransportError, attempt: int
    ) -> float:
        """Seconds until it is sent again; raises what is not to be sent again."""
        if isinstance(error, gidgethub.HTTPException):
            status, headers = int(error.status_code), error.headers
            if limited(status, headers, str(error)):
                return wait_for_limit(headers, attempt=attempt, now=time.time())
            if status < 500:
                raise _refusal(status, _told(error)) from None
        elif isinstance(error, httpx2.ConnectError):
            return wait_for_repair(attempt)  # nothing was sent
        if method == "POST":
            raise UnsureError(f"GitHub: {_told(error)}", later_s=wait_for_repair(attempt)) from None
        return wait_for_repair(attempt)

    def _authorised(self) -> str:
        """The token that requests carry; an installation's is made anew before it ends."""
        match self._who:
            case Token(secret=secret):
                return secret
            case App() as app:
                token, until = self._token
                if time.time() > until - _EARLY_S:
                    self._token = token, _ = self._installed(app)
                return token

    def _installed(self, app: App) -> tuple[str, float]:
        """A token of the App's installation in this repository, for it alone, and its end."""

        def signed() -> str:
            return apps.get_jwt(app_id=app.id, private_key=app.key)

        where = f"/repos/{self.repository}/installation"
        number = self._sent("GET", lambda: self._api.getitem(where, jwt=signed()))["id"]
        path = f"/app/installations/{number}/access_tokens"
        name = self.repository.partition("/")[2]
        asked = {"repositories": [name], "permissions": _PERMISSIONS}
        made = self._sent("POST", lambda: self._api.post(path, data=asked, jwt=signed()))
        return made["token"], _moment(made["expires_at"]).timestamp()

    def _named(self) -> str:
        match self._who:
            case App() as app:
                key = apps.get_jwt(app_id=app.id, private_key=app.key)
                return (
                    f"{self._sent('GET', lambda: self._api.getitem('/app', jwt=key))['slug']}[bot]"
                )
            case Token():
                try:
                    return str(self.get("/user")["login"])
                except RefusedError:
                    return _ACTIONS  # a job's token is nobody's


class RefusedError(GitHubError):
    """We may not; trying again is in vain."""


class MissingError(RefusedError):
    """There is no such thing, or we may not know of it."""


def _refusal(status: int, told: str) -> GitHubError:
    return (
        MissingError(f"GitHub: {told}") if status in (404, 410) else RefusedError(f"GitHub: {told}")
    )


def _for_good(error: httpx2.TransportError | httpx2.HTTPStatusError) -> bool:
    return isinstance(error, httpx2.HTTPStatusError) and error.response.status_code < 500


def _told(error: Exception) -> str:
    """One line, without a token: neither library tells headers."""
    status = f"{int(error.status_code)} " if isinstance(error, gidgethub.HTTPException) else ""
    return status + (" ".join(str(error).split())[:300] or type(error).__name__)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
