"""Triage on the pages: what is typed is done or kept, and whatever is typed is inert."""

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from dashboard.notes import markdown
from dashboard.signin.access import Access
from runner.core.access import Scope
from runner.settings import Settings
from runner.store.engine import Engine, ensure
from runner.store.tokens import create_token
from tests.seed import seed

HERE = "http://127.0.0.1:8000"
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>[x](javascript:alert(3))"
    "\"><svg onload=alert(4)> \u202e\u0000 {{ 7*7 }} '; DROP TABLE triage; --"
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = ensure(f"sqlite:///{tmp_path_factory.mktemp('triage')}/seed.db")
    seed(made)
    yield made
    made.dispose()


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    """The local user's browser, as it would be without JavaScript."""
    access = Access.of(Settings(), "127.0.0.1")
    with TestClient(create_app(engine, access), base_url=HERE) as client:
        yield client


def _groups(client: TestClient, query: str = "run=2") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/groups.json?{query}").json()["groups"]
    return found


def _name(client: TestClient, title: str) -> str:
    return next(str(each["signature"]) for each in _groups(client) if title in each["title"])


def _send(
    client: TestClient, path: str, page: str = "", **fields: str | list[str]
) -> httpx2.Response:
    """A form of that page, sent."""
    html = client.get(page or path.rpartition("/")[0]).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', html)
    assert csrf is not None
    return client.post(path, data={"csrf": csrf[1], **fields})


def _said(client: TestClient, name: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/groups/{name}.json").json()["group"]["triage"]
    return found


def test_what_is_typed_is_saved_logged_and_shown(client: TestClient) -> None:
    name = _name(client, "cummax")
    page = _send(
        client,
        f"/groups/{name}/triage",
        state="upstream",
        assignee="me",
        issue="pytorch/executorch#12",
        note="*cummax* is `not` canonical",
        muted_until="",
        version="0",
    )
    assert page.url.path == f"/groups/{name}"
    assert "<em>cummax</em> is <code>not</code> canonical" in page.text
    assert 'href="https://github.com/pytorch/executorch/issues/12"' in page.text
    [entry] = client.get(f"/triage.json?group={name}").json()["entries"]
    assert entry["who"] == _said(client, name)["assignee"]
    assert entry["after"]["state"] == "upstream"
    assert f"/groups/{name}" in client.get("/triage").text
    assert "upstream" in client.get("/runs/2").text
    assert "pytorch/executorch#12" in client.get("/").text
    assert [each["signature"] for each in _groups(client, "run=2&state=upstream")] == [name]


def test_a_search_asks_what_was_said_of_failure_groups(client: TestClient) -> None:
    [name] = [each["signature"] for each in _groups(client, "run=2&q=model:mamba backend:onnx")][:1]
    fields = {"state": "known", "note": "no op", "assignee": "grace", "version": "0"}
    _send(client, f"/groups/{name}/triage", **fields)

    def cells(query: str) -> set[str]:
        table = client.get("/tables/cells.csv", params={"run": "2", "q": query}).text
        return set(table.splitlines()[1:])

    told = cells("state:known")
    assert told
    assert told == cells("assignee:gr*") == cells(f"group:{name}")
    assert told.isdisjoint(cells("outcome:fail and not assignee:grace"))
    assert not cells("assignee:nobody outcome:pass")
    whose = client.get(f"/groups/{name}.json").json()["owner"]["name"]
    assert told <= cells(f"owner:{whose}")
    items = client.get("/api/v1/complete", params={"q": "assignee:g"}).json()["items"]
    assert items == ["assignee:grace"]
    assert client.get("/feed.xml", params={"q": "state:known"}).text.count("<entry>") > 0


def test_who_comes_too_late_sees_what_was_done_and_what_was_typed(client: TestClient) -> None:
    name = _name(client, "SIGSEGV")
    _send(client, f"/groups/{name}/triage", state="investigating", assignee="ada", version="0")
    late = _send(client, f"/groups/{name}/triage", state="new", note="my long note", version="0")
    assert late.status_code == 409
    assert "ada" in late.text
    assert "my long note</textarea>" in late.text
    assert _said(client, name)["note"] == ""
    version = re.search(r'name="version" value="(\d+)"', late.text)
    assert version is not None
    fields = {"state": "investigating", "note": "my long note", "version": version[1]}
    assert _send(client, f"/groups/{name}/triage", **fields).status_code == 200
    assert _said(client, name)["note"] == "my long note"


def test_what_lacks_a_reason_is_told_and_kept(client: TestClient) -> None:
    name = _name(client, "guard on")
    page = _send(client, f"/groups/{name}/triage", state="upstream", note="see below", version="0")
    assert page.status_code == 422
    assert "needs the issue" in page.text
    assert "see below</textarea>" in page.text


def test_many_are_edited_over_a_search_and_muted_ones_stand_last(client: TestClient) -> None:
    found = _groups(client, "run=2&q=model:blip")
    assert found
    page = _send(
        client,
        "/groups/triage",
        "/groups?run=2&q=model:blip",
        all="1",
        asked_run="2",
        asked_q="model:blip",
        assignee="blip-team",
        muted_until="2999-01-01",
    )
    assert page.status_code == 200
    twin = client.get("/groups.json?run=2").json()
    assert (twin["muted"], len(twin["groups"])) == (len(found), twin["found"])
    last = twin["groups"][-len(found) :]
    assert {each["triage"]["assignee"] for each in last} == {"blip-team"}
    assert all(each["muted"] for each in last)
    entry = client.get("/triage.json").json()["entries"][0]
    assert entry["cells"] == "model:blip"


def test_ticked_groups_are_edited_all_or_none(client: TestClient) -> None:
    names = [each["signature"] for each in _groups(client)[:2]]
    versions = [_said(client, name)["version"] for name in names]
    boxes = [f"{names[0]}:{versions[0]}", f"{names[1]}:{versions[1] + 7}"]
    page = _send(client, "/groups/triage", "/groups", group=boxes, assignee="carl")
    assert page.status_code == 409
    assert [_said(client, name)["version"] for name in names] == versions
    boxes[1] = f"{names[1]}:{versions[1]}"
    assert (
        _send(client, "/groups/triage", "/groups", group=boxes, assignee="carl").status_code == 200
    )
    assert {_said(client, name)["assignee"] for name in names} == {"carl"}
    assert _send(client, "/groups/triage", "/groups", assignee="carl").status_code == 422


def test_groups_are_merged_split_and_taken_apart_again(client: TestClient) -> None:
    guard, scan = _name(client, "guard on"), _name(client, "selective_scan")
    page = _send(client, f"/groups/{guard}/merge", f"/groups/{guard}", other=scan)
    assert page.url.path == f"/groups/{scan}"
    assert client.get(f"/groups/{guard}").url.path == f"/groups/{scan}"
    assert client.get(f"/groups/{guard}.json").json()["group"]["signature"] == scan
    assert guard not in {each["signature"] for each in _groups(client)}
    overview = client.get("/index.json").json()
    told = {
        each["signature"]: each["cells"]
        for each in overview["new_groups"] + overview["large_groups"]
    }
    assert guard not in told
    assert told[scan] == client.get(f"/groups/{scan}.json").json()["group"]["cells"]
    _send(client, f"/groups/{scan}/apart", f"/groups/{scan}", other=guard)
    assert client.get(f"/groups/{guard}").url.path == f"/groups/{guard}"
    cells = client.get(f"/groups/{guard}.json").json()["group"]["cells"]
    page = _send(
        client, f"/groups/{guard}/split", f"/groups/{guard}", other="model:mixtral", title="theirs"
    )
    part = client.get(f"{page.url.path}.json").json()
    assert part["group"]["title"] == "theirs"
    assert set(part["by_type"]) == {"mixtral"}
    assert client.get(f"/groups/{guard}.json").json()["group"]["cells"] < cells
    assert _send(client, f"/groups/{guard}/split", other="outcome:fail").status_code == 422


def test_a_group_shows_the_frame_that_signs_it_and_what_all_share(client: TestClient) -> None:
    name = _name(client, "selective_scan")
    twin = client.get(f"/groups/{name}.json").json()
    signed = [line["text"] for line in twin["trace"] if line["signed"]]
    assert len(signed) == 2
    assert "torch/onnx/_internal/exporter/_core.py" in signed[0]
    assert twin["compared"] >= 1
    assert any(part["common"] for line in twin["trace"] for part in line["parts"])
    assert (twin["first"]["id"], twin["last_good"]["id"]) == (2, 1)
    # not the third run, which is incomplete and has nothing of it: that says nothing
    assert [(each["run"]["id"], each["cells"]) for each in twin["seen"]] == [(2, 10), (1, 0)]
    assert twin["issue"]["body"].startswith("## What happens")
    page = client.get(f"/groups/{name}").text
    assert "<polyline" in page
    assert "/diff/1/2" in page


def test_a_script_says_it_with_a_token_of_its_scope_alone(
    client: TestClient, engine: Engine
) -> None:
    name = _groups(client)[-1]["signature"]
    address, said = f"/api/v1/groups/{name}/triage", {"state": "investigating", "version": 0}
    assert client.post(address, json=said).status_code == 403
    for scope, status in ((Scope.RESULTS, 403), (Scope.READ, 403)):
        _, secret = create_token(engine, "ci", "*", scope=scope)
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.post(address, json=said, headers=headers).status_code == status
    _, secret = create_token(engine, "ci", "*", scope=Scope.TRIAGE)
    headers = {"Authorization": f"Bearer {secret}"}
    said["version"] = _said(client, name)["version"]
    answer = client.post(address, json=said, headers=headers)
    assert answer.json()[name]["state"] == "investigating"
    assert answer.json()[name]["changed_by"].endswith("(ci)")
    assert client.post(address, json=said, headers=headers).status_code == 409
    bad = client.post("/api/v1/triage", json={"over": "model:llama", "state": "x"}, headers=headers)
    assert bad.status_code == 422


def test_strangers_see_everything_and_no_form(engine: Engine) -> None:
    access = Access.of(Settings(sign_in="none"), "127.0.0.1")
    with TestClient(create_app(engine, access), base_url=HERE) as stranger:
        name = _groups(stranger)[0]["signature"]
        for address in ("/groups", f"/groups/{name}", "/triage", "/access"):
            page = stranger.get(address)
            assert page.status_code == 200
            assert 'method="post"' not in page.text.replace("/apart", "")
        assert stranger.post(f"/groups/{name}/triage", data={"state": "known"}).status_code == 401


@pytest.mark.parametrize("field", ["note", "assignee", "issue", "muted_until", "state", "fixed_in"])
def test_hostile_text_is_refused_or_inert_in_every_field(client: TestClient, field: str) -> None:
    name = _name(client, "alert")
    version = str(_said(client, name)["version"])
    answer = _send(client, f"/groups/{name}/triage", **{field: HOSTILE, "version": version})
    pages = [answer.text, client.get(f"/groups/{name}").text, client.get("/groups?run=2").text]
    pages += [client.get("/triage").text, client.get("/triage", params={"who": HOSTILE}).text]
    pages.append(client.get("/groups", params={"run": "2", "q": HOSTILE, "state": HOSTILE}).text)
    for page in pages:
        assert not re.search(r"<(script>|img src=x|svg onload)", page)
        assert 'href="javascript:' not in page
        assert "\x00" not in page


def test_a_note_is_markdown_without_html_pictures_or_scripts() -> None:
    shown = markdown("# a\n\n![x](https://e.example/x.png) <b>b</b> [c](data:text/html,x) `d`")
    assert "<h1>a</h1>" in shown
    assert "<code>d</code>" in shown
    assert not re.search(r"<img|<b>|data:text", shown.replace("[c](data:text/html,x)", ""))
    assert 'rel="noopener noreferrer nofollow ugc"' in markdown("[x](https://e.example)")
