"""Who may do what in the dashboard: strangers, people of GitHub, scripts, and the local user."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from dashboard.signin.access import Access, OAuthApp
from harness.errors import MatrixError
from runner.core.access import Listed, Role, Roles, Scope, SignIn, is_loopback, safe_next
from runner.settings import Settings
from runner.store.engine import Engine, ensure
from runner.store.tokens import create_token
from tests.fakegithub import CLIENT, CLIENT_SECRET, FakeGitHub, github_on_loopback

HERE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with github_on_loopback() as fake:
        fake.teams["hf/export"] = {"ada"}
        fake.orgs["pytorch"] = {"bob"}
        yield fake


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = ensure(f"sqlite:///{tmp_path_factory.mktemp('signin')}/m.db")
    yield made
    made.dispose()


def _roles(readers: str = "*") -> Roles:
    lists = (readers, "@hf/export", "root")
    return Roles(
        **dict(zip(("readers", "triagers", "admins"), map(Listed.read, lists), strict=True))
    )


def _access(github: FakeGitHub, *, readers: str = "*", url: str = HERE) -> Access:
    app = OAuthApp(client=CLIENT, secret=CLIENT_SECRET, url=github.address, api=github.address)
    return Access(sign_in=SignIn.GITHUB, roles=_roles(readers), url=url, app=app)


def _client(engine: Engine, access: Access) -> TestClient:
    return TestClient(create_app(engine, access), base_url=access.url, follow_redirects=False)


def _sign_in(
    client: TestClient, github: FakeGitHub, login: str, path: str = "/"
) -> httpx2.Response:
    """The way to GitHub, where that person says yes, and back."""
    github.login = login
    there = client.get("/signin/github", params={"next": path})
    back = httpx2.get(there.headers["location"]).headers["location"]
    return client.get(back)


def _csrf(client: TestClient, path: str = "/access") -> str:
    return client.get(path).text.partition('name="csrf" value="')[2].partition('"')[0]


def test_a_person_signs_in_with_github_and_goes_on_where_they_were(
    engine: Engine, github: FakeGitHub
) -> None:
    client = _client(engine, _access(github))
    assert "/signin?next=/runs" in client.get("/runs").text
    answer = _sign_in(client, github, "ada", "/groups?run=1")
    assert answer.headers["location"] == "/groups?run=1"
    told = client.get("/access.json").json()
    assert (told["name"], told["role"]) == ("ada", "triager")
    assert ">ada</a>" in client.get("/runs").text
    assert client.get("/runs").headers["cache-control"] == "private, no-cache"


def test_roles_come_from_people_teams_and_organisations() -> None:
    roles = replace(_roles("@pytorch"), triagers=Listed.read("Carl, @hf/export"))
    told = [
        roles.of(*who)
        for who in (
            ("root", ()),
            ("CARL", ()),
            ("x", ("hf/export",)),
            ("x", ("pytorch",)),
            ("x", ()),
        )
    ]
    assert told == [Role.ADMIN, Role.TRIAGER, Role.TRIAGER, Role.READER, None]
    assert Role.ADMIN.allows(Role.TRIAGER)
    assert not Role.READER.allows(Role.TRIAGER)


def test_a_session_cookie_is_for_https_and_for_the_browser_alone(
    engine: Engine, github: FakeGitHub
) -> None:
    client = _client(engine, _access(github, url="https://matrix.example"))
    answer = _sign_in(client, github, "ada")
    cookie = next(each for each in answer.headers.get_list("set-cookie") if "matrix=" in each)
    assert cookie.startswith("__Host-export-matrix=")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=43200"):
        assert word in cookie


def test_a_way_that_did_not_begin_here_signs_nobody_in(engine: Engine, github: FakeGitHub) -> None:
    theirs, ours = (_client(engine, _access(github)) for _ in range(2))
    github.login = "mallory"
    there = theirs.get("/signin/github").headers["location"]
    back = httpx2.get(there).headers["location"]
    assert ours.get(back).status_code == 403
    assert theirs.get("/signin/callback?error=access_denied").status_code == 403
    wrong = back.replace("code=", "code=0")
    assert theirs.get(wrong).status_code == 502
    assert ours.get("/access.json").json()["name"] is None


def test_a_session_ends_by_itself_and_when_it_is_ended(engine: Engine, github: FakeGitHub) -> None:
    short = replace(_access(github), lasts=timedelta(seconds=0))
    client = _client(engine, short)
    _sign_in(client, github, "ada")
    assert client.get("/access.json").json()["name"] is None
    client = _client(engine, _access(github))
    _sign_in(client, github, "ada")
    before = client.cookies.get("export-matrix")
    assert client.post("/signout", data={"csrf": _csrf(client)}).status_code == 303
    client.cookies.set("export-matrix", before or "")
    assert client.get("/access.json").json()["name"] is None


def test_nobody_ends_a_session_of_somebody_else_but_an_admin(
    engine: Engine, github: FakeGitHub
) -> None:
    ada, bob, root = (_client(engine, _access(github)) for _ in range(3))
    for client, login in ((ada, "ada"), (bob, "bob"), (root, "root")):
        _sign_in(client, github, login)
    number = ada.get("/access.json").json()["session"]
    end = f"/access/sessions/{number}/end"
    assert bob.post(end, data={"csrf": _csrf(bob)}).status_code == 404
    seen = [
        {each["login"] for each in client.get("/access.json").json()["sessions"]}
        for client in (bob, root)
    ]
    assert seen == [{"bob"}, {"ada", "bob", "root"}]
    assert root.post(end, data={"csrf": _csrf(root)}).status_code == 303
    assert ada.get("/access.json").json()["name"] is None


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, ""),
        ({}, "wrong"),
        ({"Origin": "https://evil.example"}, None),
        ({"Sec-Fetch-Site": "cross-site"}, None),
    ],
)
def test_a_form_of_another_site_changes_nothing(
    engine: Engine, github: FakeGitHub, headers: dict[str, str], csrf: str | None
) -> None:
    client = _client(engine, _access(github))
    _sign_in(client, github, "ada")
    sent = {"csrf": _csrf(client) if csrf is None else csrf}
    assert client.post("/signout", data=sent, headers=headers).status_code == 403
    assert client.get("/access.json").json()["name"] == "ada"


def test_a_form_comes_through_a_proxy_that_calls_the_host_otherwise(
    engine: Engine, github: FakeGitHub
) -> None:
    access = _access(github, url="https://matrix.example")
    client = _client(engine, access)
    _sign_in(client, github, "ada")
    headers = {"Host": "10.0.0.2:8000", "Origin": "https://matrix.example"}
    sent = {"csrf": _csrf(client)}
    assert client.post("/signout", data=sent, headers=headers).status_code == 303


def test_where_reading_is_for_readers_strangers_are_sent_to_sign_in(
    engine: Engine, github: FakeGitHub
) -> None:
    client = _client(engine, _access(github, readers="@pytorch"))
    assert client.get("/runs?x=1").headers["location"] == "/signin?next=/runs%3Fx%3D1"
    assert client.get("/runs.json").status_code == 401
    assert client.get("/healthz").status_code == 200
    assert client.get("/signin").status_code == 200
    _sign_in(client, github, "carl")
    assert client.get("/runs.json").status_code == 403
    assert "carl may not read here" in client.get("/runs").text
    _sign_in(client, github, "bob")
    assert client.get("/runs.json").status_code == 200


def test_a_script_reads_by_its_token_as_far_as_its_scope_goes(
    engine: Engine, github: FakeGitHub
) -> None:
    client = _client(engine, _access(github, readers=""))
    for scope, status in ((Scope.READ, 200), (Scope.TRIAGE, 200), (Scope.RESULTS, 401)):
        _, secret = create_token(engine, "ci", "ci-*", scope=scope)
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.get("/runs.json", headers=headers).status_code == status
    assert (
        client.post("/api/v1/runs/ci-1/shards/0", headers={"Authorization": "x"}).status_code == 401
    )


def test_the_local_user_is_admin_by_names_of_this_machine_alone(engine: Engine) -> None:
    access = replace(Access.of(Settings(), "127.0.0.1"), roles=_roles())
    assert access.sign_in is SignIn.LOCAL
    roles = []
    for url, headers in (
        (HERE, {}),
        ("http://localhost:8000", {}),
        ("http://evil.example", {}),
        (HERE, {"X-Forwarded-For": "10.0.0.7"}),
    ):
        with TestClient(create_app(engine, access), base_url=url, headers=headers) as client:
            roles.append(client.get("/access.json").json()["role"])
    assert roles == ["admin", "admin", "reader", "reader"]


def test_settings_that_would_let_everybody_in_are_refused() -> None:
    with pytest.raises(MatrixError, match="for loopback"):
        Access.of(Settings(sign_in="local"), "0.0.0.0")
    with pytest.raises(MatrixError, match="OAUTH_CLIENT"):
        Access.of(Settings(sign_in="github"), "127.0.0.1")
    open_ = {"oauth_client": "x", "oauth_secret": "y", "public_url": "http://matrix.example"}
    with pytest.raises(MatrixError, match="https"):
        Access.of(Settings(**open_), "127.0.0.1")
    assert Access.of(Settings(), "0.0.0.0").sign_in is SignIn.NONE


def test_one_goes_on_to_pages_of_ours_and_nowhere_else() -> None:
    for path in (
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "x",
        "/a\r\nB: c",
        "",
    ):
        assert safe_next(path) == "/"
    assert safe_next("/groups?run=1#x") == "/groups?run=1#x"
    assert [is_loopback(host) for host in ("[::1]:80", "127.0.0.1", "localhost:1", "a.b", "")] == [
        *(True, True, True, False, False)
    ]
