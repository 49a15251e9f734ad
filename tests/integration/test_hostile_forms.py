"""Hostile texts sent to every route that takes any: refused in a line, or stored and inert."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from dashboard.signin.access import Access, OAuthApp
from harness.results import Outcome, Result
from runner.core.access import Listed, Roles, Scope, SignIn
from runner.core.triage import Edit
from runner.settings import Settings
from runner.settings import settings as ours
from runner.store import reads
from runner.store.engine import Engine, ensure
from runner.store.tokens import create_token
from tests.fakegithub import CLIENT, CLIENT_SECRET, github_on_loopback
from tests.hostile import CELL, MARK, STEERING, TEXTS, live, safe_link
from tests.seed import seed

HERE = "http://127.0.0.1:8000"
#: what a browser sends: no half of a surrogate pair
_SENT = tuple(text.encode("utf-8", "replace").decode() for text in TEXTS)
_FIELDS = tuple(each.name for each in fields(Edit))
_ELSEWHERE = (
    *("//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "\\\\evil"),
    *(
        "/runs\r\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:%20a=b",
        "evil.example",
    ),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = ensure(f"sqlite:///{tmp_path_factory.mktemp('forms')}/seed.db")
    seed(made)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[TestClient]:
    """The local user's browser, which follows where forms lead."""
    access = Access.of(Settings(), "127.0.0.1")
    app = create_app(engine, access)
    with TestClient(app, base_url=HERE, raise_server_exceptions=True) as client:
        yield client


def _inert(answer: httpx2.Response) -> None:
    """Refused or done, without anything live, on the way there too."""
    for each in (*answer.history, answer):
        assert each.status_code < 500, each.url
        assert "set-cookie" not in each.headers
        assert safe_link(each.headers.get("location", "/"))
    assert str(answer.url).startswith(f"{HERE}/")
    assert live(answer.text) == []


def _send(client: TestClient, path: str, sent: dict[str, Any]) -> httpx2.Response:
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/groups").text)
    assert csrf is not None
    return client.post(path, data={"csrf": csrf[1], **sent})


def _shown(client: TestClient, *paths: str) -> str:
    pages = [client.get(path) for path in ("/", "/groups", "/triage", "/runs/2", *paths)]
    for page in pages:
        _inert(page)
        assert page.status_code == 200, page.url
    return "".join(page.text for page in pages)


@pytest.mark.parametrize("field", _FIELDS)
def test_what_a_triager_types_is_refused_or_inert(
    client: TestClient, engine: Engine, field: str
) -> None:
    group = reads.groups(engine, 2)[0].signature
    done = 0
    for text in _SENT:
        page = _send(client, f"/groups/{group}/triage", {field: text})
        _inert(page)
        assert page.status_code in (200, 422)
        done += page.status_code == 200
        many = {"group": f"{group}:{text}", "asked_q": text, "asked_run": text, field: text}
        for sent in (many, many | {"all": "1"}, {"group": group, "into": text}):
            _inert(_send(client, "/groups/triage", sent))
    _shown(client, f"/groups/{group}")
    told = client.get(f"/groups/{group}.json").json()["group"]["triage"]
    assert done == (len(TEXTS) - 1 if field == "note" else 0)  # one is too long
    assert (MARK in str(told[field])) == (field == "note")


@pytest.mark.parametrize("how", ["merge", "split", "apart", MARK])
def test_a_group_is_regrouped_by_names_and_searches_alone(
    client: TestClient, engine: Engine, how: str
) -> None:
    before = [each.signature for each in reads.groups(engine, 2)]
    group = before[1]
    for text in _SENT:
        page = _send(client, f"/groups/{group}/{how}", {"other": text, "title": text})
        _inert(page)
        assert 400 <= page.status_code < 500
        place = f"/groups/{quote(text[:300], safe='')}/{how}"
        _inert(_send(client, place, {"other": group}))
        _inert(client.post(f"/groups/{group}/{how}", data={"csrf": text}))
    _shown(client, f"/groups/{group}")
    assert [each.signature for each in reads.groups(engine, 2)] == before


def test_a_group_that_was_split_off_is_called_anything(client: TestClient, engine: Engine) -> None:
    group = next(each for each in reads.groups(engine, 2) if "selective_scan" in each.title)
    for text in _SENT[:2]:
        page = _send(
            client,
            f"/groups/{group.signature}/split",
            {"other": "model:mamba", "title": text},
        )
        _inert(page)
        assert page.status_code == 200
        assert MARK in page.text
        assert MARK in _shown(client)
        back = _send(client, f"{page.url.path}/apart", {"other": group.signature})
        _inert(back)
        assert back.status_code == 200


def _said(answer: httpx2.Response) -> None:
    """What a program is told: JSON, and of a refusal one line."""
    assert answer.status_code < 500
    assert answer.headers["content-type"] == "application/json"
    if answer.status_code >= 400:
        assert not re.search(r"[\r\n]", answer.json()["error"])
        assert not STEERING.search(answer.json()["error"])
        assert len(answer.text) < 3000


def test_scripts_say_and_subscribe_to_what_is_refused_or_inert(
    client: TestClient, engine: Engine
) -> None:
    _, secret = create_token(engine, "ci", "*", scope=Scope.TRIAGE)
    bearer = {"Authorization": f"Bearer {secret}"}
    good, search = "https://hooks.example/x", "is:regressed"
    for text in _SENT:
        for sent in (
            *({"groups": [text], name: text} for name in _FIELDS),
            {"over": text, "state": "investigating"},
        ):
            _said(client.post("/api/v1/triage", json=sent, headers=bearer))
        place = f"/api/v1/groups/{quote(text[:300], safe='')}/triage"
        _inert(client.post(place, json={"note": text}, headers=bearer))
        for url, asked in ((text, search), (good, text), (good, json.dumps(text))):
            wanted = {"url": url, "search": asked}
            answer = client.post("/api/v1/subscriptions", json=wanted, headers=bearer)
            _said(answer)
            assert url == good or answer.status_code == 400
    _said(client.get("/api/v1/subscriptions", headers=bearer))
    _shown(client)


@pytest.mark.parametrize("address", ["/api/v1/triage", "/api/v1/subscriptions"])
def test_a_body_that_is_too_large_is_refused_before_anybody_is_asked_who_they_are(
    client: TestClient, address: str
) -> None:
    sent = json.dumps({"over": "a" * 2**20, "url": "https://hooks.example/x", "search": "x"})
    headers = {"Content-Type": "application/json"}
    for body in (sent, (part.encode() for part in (sent[:500], sent[500:]))):
        answer = client.post(address, content=body, headers=headers)
        assert answer.status_code == 413
        assert "Content Too Large" in answer.text


@pytest.mark.parametrize("secret", ["", "emx_x", *(text[:100] for text in TEXTS[:4])])
def test_a_token_that_is_none_is_refused(client: TestClient, secret: str) -> None:
    headers = {"Authorization": b"Bearer " + secret.encode("utf-8", "replace").replace(b"\0", b"")}
    answer = client.post("/api/v1/runs/ci-1/shards/1", content=b"", headers=headers)
    assert answer.status_code == 401


def test_uploaded_lines_are_refused_or_inert_in_every_field(
    client: TestClient, engine: Engine
) -> None:
    _, secret = create_token(engine, "ci", "*")
    bearer = {"Authorization": f"Bearer {secret}"}
    good = Result(cell=CELL, outcome=Outcome.FAIL, run="ci", revision="5.23.0").to_record()
    taken = set()
    for number, text in enumerate(TEXTS):
        for name in good:
            line = json.dumps(good | {name: text, "run": f"ci-{number}"})
            place = f"/api/v1/runs/ci-{number}/shards/1"
            answer = client.post(place, content=line, headers=bearer)
            _said(answer)
            taken |= {name} if answer.status_code == 200 else set()
        place = f"/api/v1/runs/{quote(text[:300].encode('utf-8', 'replace'), safe='')}/shards/1"
        line = json.dumps(good | {"run": text[:300]})
        _inert(client.post(place, content=line, headers=bearer))
        _shown(client, f"/runs/ci-{number}", "/fleet")
    assert taken >= {"reason", "traceback", "log_tail", "revision"}
    assert taken.isdisjoint({"cell", "outcome", "stage", "attempt", "peak_rss_bytes"})


def test_what_passed_is_of_no_failure_group_whatever_it_says(
    client: TestClient, engine: Engine
) -> None:
    _, secret = create_token(engine, "ci", "*")
    good = Result(cell=CELL, outcome=Outcome.PASS, run="passed", revision="5.23.0")
    claims = {"signature": "s3-000000000000", "title": "cl41med", "kind": "cl41med"}
    answer = client.post(
        "/api/v1/runs/passed/shards/1",
        content=json.dumps(good.to_record() | claims),
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.json() == {"run": "passed", "shard": 1, "new": 1, "seen": 0}
    assert client.get("/groups/s3-000000000000").status_code == 404
    number = reads.run(engine, "passed").id
    assert "cl41med" not in _shown(client, f"/runs/{number}", f"/cells/{CELL.id}?run={number}")


def _forged(text: str, side: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Where a pull request would have the id of a commit."""
    yield {"head": side | {"sha": text}}
    yield {"base": side | {"sha": text, "repo": {"full_name": "o/r"}}}
    yield {"merge_commit_sha": text}


def test_what_github_sends_is_ignored_or_inert(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORT_MATRIX_WEBHOOK_SECRET", "s3cret")
    monkeypatch.setenv("EXPORT_MATRIX_REPOSITORY", "o/r")
    ours.cache_clear()
    queued = 0
    for number, text in enumerate(TEXTS, 1):
        side = {"sha": f"{number:040}", "ref": text, "repo": {"full_name": text}, "label": text}
        pull = {
            "number": number,
            "state": "open",
            "title": text,
            "body": text,
            "user": {"login": text},
            "head": side,
            "base": side | {"repo": {"full_name": "o/r"}},
            "updated_at": "2026-11-25T00:00:00Z",
            "merge_commit_sha": None,
        }
        told = {"action": "opened", "pull_request": pull, "repository": {"full_name": "o/r"}}
        comment = {"user": {"login": text, "type": "User"}, "body": f"run-slow: {text}", "id": 1}
        issue = {"number": number, "pull_request": {}}
        said = told | {"action": "created", "issue": issue, "comment": comment}
        forged = [told | {"pull_request": pull | each} for each in _forged(text, side)]
        sent = [("pull_request", each) for each in (told, *forged)]
        for event, payload in (*sent, ("issue_comment", said), (text, told)):
            body = json.dumps(payload).encode()
            sign = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
            headers = {
                "X-GitHub-Event": event.encode("utf-8", "replace")[:90].replace(b"\r\n", b""),
                "X-GitHub-Delivery": sign,
                "X-Hub-Signature-256": f"sha256={sign}",
            }
            answer = client.post("/webhooks/github", content=body, headers=headers)
            assert answer.status_code < 500
            queued += answer.status_code == 202
            assert answer.status_code == 200 or payload not in forged
    ours.cache_clear()
    assert queued == len(TEXTS)
    _shown(client, "/fleet")


@pytest.mark.parametrize("path", _ELSEWHERE)
def test_nobody_is_led_elsewhere_by_signing_in(engine: Engine, path: str) -> None:
    with github_on_loopback() as github:
        app = OAuthApp(client=CLIENT, secret=CLIENT_SECRET, url=github.address, api=github.address)
        lists = [Listed.read(each) for each in ("*", "ada", "root")]
        roles = Roles(readers=lists[0], triagers=lists[1], admins=lists[2])
        access = Access(sign_in=SignIn.GITHUB, roles=roles, url=HERE, app=app)
        client = TestClient(create_app(engine, access), base_url=HERE, follow_redirects=False)
        page = client.get("/signin", params={"next": path})
        assert (page.status_code, live(page.text)) == (200, [])
        assert "evil" not in page.text
        github.login = TEXTS[0]
        there = client.get("/signin/github", params={"next": path})
        assert there.headers["location"].startswith(f"{github.address}/")
        [cookie] = there.headers.get_list("set-cookie")
        assert "HttpOnly" in cookie
        # who can set a cookie says where to go on, too
        began, verifier, _ = client.cookies["export-matrix-way"].strip('"').split(".")
        packed = base64.urlsafe_b64encode(quote(path).encode()).decode()
        back = httpx2.get(there.headers["location"]).headers["location"]
        client.cookies.clear()
        client.cookies.set("export-matrix-way", f"{began}.{verifier}.{packed}")
        signed = client.get(back)
        assert signed.status_code == 303, signed.text[-600:]
        assert signed.headers["location"] in ("/", "/%0d%0aSet-Cookie:%20a=b")
        assert all("export-matrix" in each for each in signed.headers.get_list("set-cookie"))
        shown = client.get("/access")
        assert (shown.status_code, live(shown.text)) == (200, [])
        assert MARK in shown.text
        refused = client.get("/signin/callback", params={"error": TEXTS[0]})
        assert (refused.status_code, live(refused.text)) == (403, [])
