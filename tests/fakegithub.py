"""A GitHub over real HTTP on loopback: the routes that the bot uses, as GitHub documents them.

It authenticates Apps (RS256, ten minutes at most) and tokens, pages its listings with `Link`, tells
rate limits in headers, refuses what GitHub refuses (too long, too many annotations, no conclusion),
signs people in (OAuth with PKCE; `login` is who says yes), and has pull requests whose commits are
in a git repository, under `refs/pull/N/head` and `merge`. `troubles` are what goes wrong next: an
outage before or after a request is done, a limit.
"""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

REPOSITORY = "o/transformers"
APP_ID, INSTALLATION, SLUG = "77", 4711, "export-matrix"
SECRET = "a secret of webhooks"
TOKEN = "ghp_of_a_person"
CLIENT, CLIENT_SECRET = "Iv1.of-the-dashboard", "a secret of the OAuth app"

JSON = dict[str, Any]


@dataclass
class Trouble:
    """What goes wrong with the next request of that method, whose path has that in it."""

    method: str
    path: str
    #: `before` or `after` it is done, `primary` or `secondary` limit, `hang-up` after it is done
    kind: str
    times: int = 1


@dataclass
class FakeGitHub:
    """What this GitHub knows; its methods change it as people do."""

    key: str = ""
    public: str = ""
    address: str = ""
    login: str = "ada"
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    pulls: dict[int, JSON] = field(default_factory=dict)
    files: dict[int, list[JSON]] = field(default_factory=dict)
    comments: list[JSON] = field(default_factory=list)
    checks: list[JSON] = field(default_factory=list)
    teams: dict[str, set[str]] = field(default_factory=dict)
    #: members of organisations
    orgs: dict[str, set[str]] = field(default_factory=dict)
    #: codes of people who said yes, and what they were asked
    codes: dict[str, JSON] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    #: zip files by the name of the artifact
    artifacts: dict[str, bytes] = field(default_factory=dict)
    #: method and path of all requests, in order
    asked: list[str] = field(default_factory=list)
    page: int = 100
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1000, 10**6)))
    lock: threading.RLock = field(default_factory=threading.RLock)

    # ── what people do ──────────────────────────────────────────────────────────────────────────
    def comment(self, number: int, author: str, body: str, *, kind: str = "User") -> JSON:
        return self._commented(number, {"login": author, "type": kind}, body)

    def of(self, author: str) -> list[JSON]:
        return [each for each in self.comments if each["user"]["login"] == author]

    @property
    def ours(self) -> list[str]:
        """The bodies of the App's comments."""
        return [each["body"] for each in self.of(f"{SLUG}[bot]")]

    def pull(self, number: int, head: str, base: str, *, state: str = "open") -> JSON:
        """Open a pull request, or move it."""
        self.pulls[number] = {
            "number": number,
            "state": state,
            "head": {"sha": head, "label": "someone:topic"},
            "base": {"sha": base, "ref": "main"},
            "updated_at": _now(),
            "merge_commit_sha": None,
        }
        return self.pulls[number]

    def deliver(
        self,
        url: str,
        event: str,
        payload: JSON,
        *,
        secret: str = SECRET,
        delivery: str = "",
    ) -> httpx2.Response:
        """Send a webhook as GitHub does."""
        told = payload | {"repository": {"full_name": REPOSITORY}}
        body = json.dumps(told).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return httpx2.post(url, content=body, headers=headers)

    # ── the service ─────────────────────────────────────────────────────────────────────────────
    def app(self) -> Starlette:
        repo = f"/repos/{REPOSITORY}"
        routes: list[tuple[str, str, Callable[[Request, JSON], Response]]] = [
            ("GET", "/app", self._app),
            ("GET", "/user", self._user),
            ("GET", f"{repo}/installation", self._installation),
            ("POST", "/app/installations/{id:int}/access_tokens", self._access_token),
            ("GET", repo + "/pulls", self._list_pulls),
            ("GET", repo + "/pulls/{number:int}", self._pull),
            ("GET", repo + "/actions/runs/{id:int}/artifacts", self._list_artifacts),
            ("GET", repo + "/actions/artifacts/{id:int}/zip", self._artifact),
            ("GET", "/blob/{id:int}", self._blob),
            ("GET", repo + "/pulls/{number:int}/files", self._files),
            ("GET", repo + "/issues/{number:int}/comments", self._list_comments),
            ("POST", repo + "/issues/{number:int}/comments", self._post_comment),
            ("PATCH", repo + "/issues/comments/{id:int}", self._patch_comment),
            ("DELETE", repo + "/issues/comments/{id:int}", self._delete_comment),
            ("GET", repo + "/commits/{sha}/check-runs", self._list_checks),
            ("POST", repo + "/check-runs", self._post_check),
            ("PATCH", repo + "/check-runs/{id:int}", self._patch_check),
            ("GET", "/orgs/{org}/teams/{team}/memberships/{login}", self._membership),
            ("GET", "/user/memberships/orgs/{org}", self._org_membership),
            ("GET", "/login/oauth/authorize", self._authorize),
            ("POST", "/login/oauth/access_token", self._oauth_token),
        ]
        return Starlette(
            routes=[Route(path, self._answering(do), methods=[how]) for how, path, do in routes]
        )

    def _answering(self, do: Callable[[Request, JSON], Response]) -> Callable[..., Any]:
        async def answer(request: Request) -> Response:
            body = await request.body()
            return await run_in_threadpool(self._answer, do, request, body)

        return answer

    def _answer(
        self, do: Callable[[Request, JSON], Response], request: Request, body: bytes
    ) -> Response:
        with self.lock:
            self.asked.append(f"{request.method} {request.url.path}")
            trouble = self._trouble(request)
            if trouble and trouble.kind in ("before", "primary", "secondary"):
                return _troubled(trouble.kind)
            if not self._authentic(request):
                return _error(401, "Bad credentials")
            answer = do(request, _fields(request, body))
            if trouble and trouble.kind == "hang-up":
                return _HangUp()
            return _troubled("before") if trouble else _limits(answer)

    def _trouble(self, request: Request) -> Trouble | None:
        for trouble in self.troubles:
            if trouble.method == request.method and trouble.path in request.url.path:
                trouble.times -= 1
                if not trouble.times:
                    self.troubles.remove(trouble)
                return trouble
        return None

    def _authentic(self, request: Request) -> bool:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if request.url.path.startswith("/blob/"):
            return not scheme  # somebody else's, who is to see no token
        if request.url.path.startswith("/login/"):
            return True
        if re.fullmatch(r"/app(/.*)?|/repos/[^/]+/[^/]+/installation", request.url.path):
            if scheme.lower() != "bearer":
                return False
            try:
                told = jwt.decode(secret, self.public, algorithms=["RS256"])
            except jwt.InvalidTokenError:
                return False
            return bool(told["iss"] == APP_ID and told["exp"] - told["iat"] <= 600)
        return secret in self.tokens and self.tokens[secret][1] > time.time()

    def _who(self, request: Request) -> JSON:
        login = self.tokens[request.headers["authorization"].partition(" ")[2]][0]
        return {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"}

    def _app(self, _request: Request, _data: JSON) -> Response:
        return JSONResponse({"slug": SLUG, "id": int(APP_ID)})

    def _user(self, request: Request, _data: JSON) -> Response:
        who = self._who(request)
        if who["type"] == "Bot":
            return _error(403, "Resource not accessible by integration")
        return JSONResponse(who)

    def _installation(self, _request: Request, _data: JSON) -> Response:
        return JSONResponse({"id": INSTALLATION})

    def _access_token(self, _request: Request, data: JSON) -> Response:
        assert data["repositories"] == [REPOSITORY.partition("/")[2]]
        ends = datetime.now(UTC) + timedelta(hours=1)
        secret = f"ghs_{uuid.uuid4().hex}"
        self.tokens[secret] = f"{SLUG}[bot]", ends.timestamp()
        told = {"token": secret, "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
        return JSONResponse(told, status_code=201)

    def _pull(self, request: Request, _data: JSON) -> Response:
        found = self.pulls.get(request.path_params["number"])
        return JSONResponse(found) if found else _error(404, "Not Found")

    def _list_pulls(self, request: Request, _data: JSON) -> Response:
        asked = request.query_params
        found = [
            each
            for each in self.pulls.values()
            if each["state"] == asked["state"] and each["head"]["label"] == asked["head"]
        ]
        return self._paged(request, found)

    def _list_artifacts(self, request: Request, _data: JSON) -> Response:
        told = [
            {"id": number, "name": name, "size_in_bytes": len(content), "expired": False}
            for number, (name, content) in enumerate(self.artifacts.items())
        ]
        return self._paged(request, told, key="artifacts")

    def _artifact(self, request: Request, _data: JSON) -> Response:
        """Leads to a storage of another name, as GitHub's does."""
        elsewhere = self.address.replace("127.0.0.1", "localhost")
        return RedirectResponse(f"{elsewhere}/blob/{request.path_params['id']}", status_code=302)

    def _blob(self, request: Request, _data: JSON) -> Response:
        return Response(list(self.artifacts.values())[request.path_params["id"]])

    def _files(self, request: Request, _data: JSON) -> Response:
        return self._paged(request, self.files.get(request.path_params["number"], []))

    def _list_comments(self, request: Request, _data: JSON) -> Response:
        number = request.path_params["number"]
        return self._paged(request, [each for each in self.comments if each["issue"] == number])

    def _post_comment(self, request: Request, data: JSON) -> Response:
        if len(data["body"]) > 65536:
            return _error(
                422, "Validation Failed", "body is too long (maximum is 65536 characters)"
            )
        made = self._commented(request.path_params["number"], self._who(request), data["body"])
        return JSONResponse(made, status_code=201)

    def _commented(self, number: int, user: JSON, body: str) -> JSON:
        made = {
            "id": next(self.numbers),
            "issue": number,
            "user": user,
            "body": body,
            "created_at": _now(),
        }
        self.comments.append(made)
        return made

    def _patch_comment(self, request: Request, data: JSON) -> Response:
        for each in self.comments:
            if each["id"] == request.path_params["id"]:
                if each["user"] != self._who(request):
                    return _error(403, "Must have admin rights to Repository.")
                each["body"] = data["body"]
                return JSONResponse(each)
        return _error(404, "Not Found")

    def _delete_comment(self, request: Request, _data: JSON) -> Response:
        kept = [each for each in self.comments if each["id"] != request.path_params["id"]]
        if len(kept) == len(self.comments):
            return _error(404, "Not Found")
        self.comments[:] = kept
        return Response(status_code=204)

    def _list_checks(self, request: Request, _data: JSON) -> Response:
        sha = request.path_params["sha"]
        found = [each for each in self.checks if each["head_sha"] == sha]
        return self._paged(request, found, key="check_runs")

    def _post_check(self, request: Request, data: JSON) -> Response:
        if self._who(request)["type"] != "Bot":
            return _error(403, "You must authenticate via a GitHub App.")
        if problem := _check_problem(data):
            return _error(422, problem)
        made = data | {"id": next(self.numbers)}
        self.checks.append(made)
        return JSONResponse(made, status_code=201)

    def _patch_check(self, request: Request, data: JSON) -> Response:
        if problem := _check_problem(data):
            return _error(422, problem)
        for each in self.checks:
            if each["id"] == request.path_params["id"]:
                added = each["output"]["annotations"] + data["output"]["annotations"]
                each.update(data)
                each["output"] = data["output"] | {"annotations": added}
                return JSONResponse(each)
        return _error(404, "Not Found")

    def _membership(self, request: Request, _data: JSON) -> Response:
        params = request.path_params
        if params["login"] in self.teams.get(f"{params['org']}/{params['team']}", ()):
            return JSONResponse({"state": "active", "role": "member"})
        return _error(404, "Not Found")

    def _org_membership(self, request: Request, _data: JSON) -> Response:
        if self._who(request)["login"] in self.orgs.get(request.path_params["org"], ()):
            return JSONResponse({"state": "active", "role": "member"})
        return _error(404, "Not Found")

    def _authorize(self, request: Request, _data: JSON) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = uuid.uuid4().hex
        self.codes[code] = asked | {"login": self.login}
        back = httpx2.URL(asked["redirect_uri"], params={"code": code, "state": asked["state"]})
        return Response(status_code=302, headers={"Location": str(back)})

    def _oauth_token(self, _request: Request, data: JSON) -> Response:
        asked = self.codes.pop(data.get("code", ""), None)
        if (data.get("client_id"), data.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            return JSONResponse({"error": "incorrect_client_credentials"})
        digest = hashlib.sha256(data.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "bad_verification_code"})
        token = f"gho_{uuid.uuid4().hex}"
        self.tokens[token] = asked["login"], time.time() + 3600
        told = {"access_token": token, "token_type": "bearer", "scope": asked.get("scope", "")}
        return JSONResponse(told)

    def _paged(self, request: Request, items: list[JSON], *, key: str = "") -> Response:
        size = min(int(request.query_params.get("per_page", 30)), self.page)
        number = int(request.query_params.get("page", 1))
        part = items[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(items):
            following = request.url.include_query_params(page=number + 1)
            headers["Link"] = f'<{following}>; rel="next"'
        told = {"total_count": len(items), key: part} if key else part
        return JSONResponse(told, headers=headers)


def _fields(request: Request, body: bytes) -> JSON:
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return json.loads(body) if body else {}


def _check_problem(data: JSON) -> str | None:
    output = data["output"]
    if data["status"] == "completed" and "conclusion" not in data:
        return "conclusion is missing"
    if len(output["annotations"]) > 50:
        return "too many annotations"
    if max(len(output["summary"]), len(output["text"])) > 65535:
        return "output is too long"
    return None


class _HangUp(Response):
    """Closes the connection instead of an answer."""

    async def __call__(self, _scope: object, _receive: object, _send: object) -> None:
        raise ConnectionAbortedError


def _limits(answer: Response, *, remaining: int = 4999, reset_s: float = 3600) -> Response:
    answer.headers["X-RateLimit-Limit"] = "5000"
    answer.headers["X-RateLimit-Remaining"] = str(remaining)
    answer.headers["X-RateLimit-Reset"] = str(int(time.time() + reset_s))
    return answer


def _troubled(kind: str) -> Response:
    if kind == "primary":
        return _limits(_error(403, "API rate limit exceeded"), remaining=0, reset_s=5)
    if kind == "secondary":
        told = _error(403, "You have exceeded a secondary rate limit.")
        told.headers["Retry-After"] = "7"
        return _limits(told)
    return Response("<html>Unicorn!</html>", status_code=502, media_type="text/html")


def _error(status: int, message: str, *errors: str) -> Response:
    told = {"message": message, "errors": [{"message": each, "code": "custom"} for each in errors]}
    return JSONResponse(told, status_code=status)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


@contextmanager
def github_on_loopback() -> Iterator[FakeGitHub]:
    """One that listens, with an App installed, until the block ends."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    fake = FakeGitHub(
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        public=key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )
    fake.tokens[TOKEN] = fake.login, time.time() + 10**6
    with served(fake.app()) as address:
        fake.address = address
        yield fake


@contextmanager
def served(app: Any) -> Iterator[str]:  # noqa: ANN401  (an ASGI application)
    """Its address on loopback, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def merge_refs(remote: Path, number: int, head: str, base: str) -> str:
    """Set a pull request's refs in the remote, as GitHub does; the id of the merge."""

    def git(*arguments: str) -> str:
        told = subprocess.run(
            [
                "git",
                "-C",
                str(remote),
                "-c",
                "user.name=GitHub",
                "-c",
                "user.email=g@h",
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        return told.stdout.strip()

    tree = git("merge-tree", "--write-tree", base, head)
    merge = git("commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}")
    git("update-ref", f"refs/pull/{number}/head", head)
    git("update-ref", f"refs/pull/{number}/merge", merge)
    return merge
