"""The pages over the seed: all there, linked, escaped, and the same as their JSON."""

import csv
import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from dashboard.app import create_app
from dashboard.pages import diffs
from runner.core.runs import Progress
from runner.core.schedule import measured
from runner.store import reads, tables, writes
from runner.store.engine import Engine, ensure
from runner.store.queue import enqueue
from runner.store.tokens import create_token
from tests.seed import HOSTILE, TYPES, seed

PAGES = [
    "/",
    "/runs",
    "/runs/2",
    "/runs/2?q=model:mixtral outcome:fail",
    "/runs/5.22.2",
    "/runs/latest",
    "/matrix",
    "/matrix?run=2&q=outcome:fail&by=family&sort=failing&rows=classes",
    "/matrix?by=modality&sort=onnx/forward-static",
    "/models/llama",
    "/slowest",
    "/slowest?run=2&q=backend:executorch&by=planned_bytes",
    "/fleet",
    "/diff",
    "/diff/1/2",
    "/diff/5.22.2/latest",
    "/diff/chosen/2",
    "/groups",
    "/groups?run=1",
    "/known",
    "/known?run=1",
    "/flaky",
    "/flaky?last=2",
    "/detector",
    "/cells/mamba/MambaModel/forward-static/onnx",
    "/cells/mamba/MambaModel/forward-static/onnx?run=1",
    "/cells/resnet/ResNetForCausalLM/forward-static/onnx",
    "/cells/whisper/WhisperModel/forward-static/onnx?run=3",
]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('pages')}/seed.db")
    seed(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def client(seeded: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(seeded)) as client:
        yield client


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_there_with_its_twin(client: TestClient, address: str) -> None:
    page = client.get(address)
    assert page.status_code == 200
    twin = re.search(r'rel="alternate" type="application/json" href="([^"]+)"', page.text)
    assert twin is not None
    assert client.get(twin[1].replace("&amp;", "&")).status_code == 200


def test_every_link_of_every_page_leads_somewhere(client: TestClient) -> None:
    found = {link for address in PAGES for link in _links(client, address)}
    assert len(found) > 200
    wrong = {
        link: status
        for link in sorted(found)[::7]
        if (status := client.get(link).status_code) != 200
    }
    assert wrong == {}


def _links(client: TestClient, address: str) -> set[str]:
    links = re.findall(r'href="(/[^"#]*)', client.get(address).text)
    return {link.replace("&amp;", "&") for link in links}


def test_the_twin_says_what_the_page_says(client: TestClient) -> None:
    record = client.get("/runs/2.json").json()
    assert record["run"]["received"] == record["run"]["expected"] == 480
    assert record["groups"][0]["title"] in html.unescape(client.get("/runs/2").text)


def test_what_a_model_printed_is_never_markup(client: TestClient, seeded: Engine) -> None:
    hostile = next(group for group in reads.groups(seeded, 2) if "script" in group.title)
    for address in ("/", "/runs/2", "/groups?run=2", f"/groups/{hostile.signature}", "/diff/1/2",
                    "/cells/blip/BlipModel/forward-static/dynamo"):  # fmt: skip
        page = client.get(address).text
        assert HOSTILE not in page
        scripts = re.findall(r"<script[^>]*>", page)
        assert all(re.fullmatch(r'<script src="/static/[^"]+" defer>', each) for each in scripts)


def test_a_run_with_missing_cells_is_told_as_incomplete(client: TestClient) -> None:
    page = client.get("/runs/3").text
    assert "incomplete: 192 of 480" in page
    assert "288 missing" in page


@pytest.mark.parametrize("address", ["/", "/runs", "/runs/3", "/diff/2/3", "/diff/3/2", "/diff"])
def test_an_incomplete_run_is_told_as_such_wherever_it_is_shown(
    client: TestClient, address: str
) -> None:
    assert "incomplete" in client.get(address).text


def test_the_twins_tell_what_is_complete(client: TestClient) -> None:
    listed = {run["id"]: run["complete"] for run in client.get("/runs.json").json()["runs"]}
    assert (listed[2], listed[3]) == (True, False)
    assert client.get("/diff/1/2.json").json()["complete"] is True
    assert client.get("/diff/2/3.json").json()["complete"] is False


def test_a_selection_filters_the_matrix_and_is_the_address(client: TestClient) -> None:
    page = client.get("/runs/2?q=backend:onnx model:mamba").text
    assert "MambaForCausalLM" in page
    assert "BertModel" not in page.partition("Failure groups</h2>")[0]
    assert "executorch" not in page.partition("</table>")[0].partition("<table>")[2]


def test_the_overview_tells_health_changes_and_what_is_new(client: TestClient) -> None:
    twin = client.get("/index.json").json()
    [line] = twin["lines"]
    assert (line["name"], line["run"]["id"]) == ("releases, torch 2.13.0+cpu", 2)
    places = {place["name"]: place["rate"] for place in line["places"]}
    assert sum(rate["passed"] for rate in places.values()) == line["rate"]["passed"]
    assert places["onnx forward-static"] == {"passed": 72, "ran": 79, "skipped": 1}
    diff = client.get("/diff/1/2.json").json()
    told = {section["change"]: section["count"] for section in diff["sections"]}
    assert twin["changes"]["counts"]
    assert all(told[change] == count for change, count in twin["changes"]["counts"])
    assert all(group["first_run"] == 2 for group in twin["new_groups"])
    assert sum(age["cells"] for age in twin["ages"]) == 74
    assert [(each["passed_in"]["id"], each["cells"]) for each in twin["lost"]] == [
        (1, dict(twin["changes"]["counts"])["regressed"])
    ]
    assert [len(line["values"]) for line in twin["trend"]["lines"]] == [2, 2, 2]


def test_the_dearest_cells_come_first_by_what_is_asked(client: TestClient) -> None:
    twin = client.get("/slowest.json?run=2&q=backend:executorch&by=planned_bytes").json()
    planned = [cell["planned_bytes"] for cell in twin["cells"]]
    assert planned == sorted(planned, reverse=True)
    assert {cell["cell"]["backend"] for cell in twin["cells"]} == {"executorch"}
    assert [each["backend"] for each in twin["durations"]] == ["executorch"]
    assert client.get("/slowest?by=beauty").status_code == 400


@pytest.mark.parametrize("query", ["", "backend:onnx", "outcome:fail", "time>0.5 backend:onnx"])
def test_a_run_tells_the_slowest_of_what_is_asked_for(client: TestClient, query: str) -> None:
    twin = client.get("/runs/2.json", params={"q": query}).json()
    table = client.get("/tables/cells.csv", params={"run": "2", "q": query}).text
    rows = csv.DictReader(table.splitlines())
    found = [float(row["duration_s"] or 0) for row in rows]
    assert twin["meant"] == len(found)
    slowest = [cell["duration_s"] for cell in twin["slowest"]]
    assert slowest == sorted(found, reverse=True)[: len(slowest)]
    assert len(slowest) == 8


def test_the_fleet_tells_who_works_what_waits_and_who_sends(tmp_path: Path) -> None:
    engine = ensure(f"sqlite:///{tmp_path}/fleet.db")
    seed(engine)
    now = datetime.now(UTC)
    open_run = reads.run(engine, "3")
    with engine.begin() as connection:
        connection.execute(update(tables.run).where(tables.run.c.id == 3).values(closed_at=None))
        enqueue(connection, kind="pull", key="huggingface/transformers#7", payload={})
    told = {"done": 7, "expected": 20, "verdicts": {}}
    writes.note_progress(engine, open_run.uid, "box-1", Progress(**told, at=now))
    silent = Progress(**told, at=now - timedelta(minutes=9))
    writes.note_progress(engine, open_run.uid, "box-2", silent)
    create_token(engine, "hf-ci", "hf-*")
    with TestClient(create_app(engine)) as client:
        twin = client.get("/fleet.json").json()
        machines = {each["share"]["name"]: each["alive"] for each in twin["machines"]}
        assert machines == {"box-1": True, "box-2": False}
        assert (twin["waiting"], twin["queue"][0]["key"]) == (
            {"queued": 1},
            "huggingface/transformers#7",
        )
        assert [(each["project"], each["used_at"]) for each in twin["senders"]] == [("hf-ci", None)]
        page = client.get("/fleet").text
        assert "works" in page
        assert "silent" in page
        live = client.get("/").text
        assert "14 of 40 cells" in live
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in live
    engine.dispose()


def _rows(client: TestClient, address: str) -> list[list[str]]:
    bands = client.get(address).json()["matrix"]["bands"]
    return [[band["name"], *(row["model_type"] for row in band["rows"])] for band in bands]


def test_the_matrix_is_sorted_by_what_fails_or_by_a_column(client: TestClient) -> None:
    [named] = _rows(client, "/matrix.json?run=2&rows=types")
    assert named[1:] == sorted(TYPES)
    [failing] = _rows(client, "/matrix.json?run=2&rows=types&sort=failing")
    assert failing[1] == "mixtral"
    [column] = _rows(client, "/matrix.json?run=2&rows=types&sort=dynamo/forward-static")
    assert column[1] == "blip"


def test_the_matrix_stands_by_family_or_by_what_models_take(client: TestClient) -> None:
    families = _rows(client, "/matrix.json?run=2&rows=types&by=family")
    assert ["qwen", "qwen2", "qwen2_moe", "qwen3"] in families
    modalities = {
        band[0]: band[1:] for band in _rows(client, "/matrix.json?run=2&rows=types&by=modality")
    }
    assert modalities["image and text"] == ["blip", "clip", "llava"]
    assert "bert" in modalities["text"]


def test_a_query_that_can_not_be_read_is_shown_with_the_wrong_piece_marked(
    client: TestClient,
) -> None:
    page = client.get("/matrix", params={"run": 2, "q": "model:bert outcom:fail"})
    assert "<mark>outcom:fail</mark>" in page.text
    twin = client.get("/matrix.json", params={"run": 2, "q": "model:bert outcom:fail"}).json()
    assert (twin["wrong"]["start"], twin["wrong"]["end"], twin["meant"]) == (11, 22, 480)


def test_what_is_typed_is_completed_by_what_is_there(client: TestClient) -> None:
    def offered(text: str) -> list[str]:
        items: list[str] = client.get("/api/v1/complete", params={"run": 2, "q": text}).json()[
            "items"
        ]
        return items

    assert offered("model:mix") == ["model:mixtral"]
    assert offered("outcome:fail and fam") == ["family:"]
    assert offered("family:qw") == ["family:qwen"]
    assert "kind:missing-conversion" in offered("kind:m")
    assert offered("revision:5.22") == ["revision:5.22.2"]
    assert offered("stack:transformers==5.22") == ["stack:transformers==5.22.2"]
    groups = client.get("/groups.json", params={"run": 2}).json()["groups"]
    assert offered("owner:") == sorted({f"owner:{each['owner']}" for each in groups})


def test_a_model_page_answers_whether_and_since_when_it_can_be_exported(
    client: TestClient,
) -> None:
    twin = client.get("/models/mamba.json").json()
    ways = {(way["backend"], way["variant"]): way for way in twin["ways"]}
    assert ways["onnx", "forward-static"]["answer"] == "no"
    dynamo = ways["dynamo", "forward-static"]
    assert (dynamo["answer"], dynamo["passed"], dynamo["ran"], dynamo["since"]) == ("yes", 2, 2, 1)
    assert dynamo["max_abs_diff"] > 0
    assert "DynamoExporter().export(model, inputs" in client.get("/models/mamba").text
    assert "did you mean" in client.get("/models/mambo").text


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("is:regressed", 10),
        ("is:fixed or is:regressed", 14),
        ("seq(pass fail) is:regressed", 10),
        ("onnx:fail and dynamo:pass and backend:onnx outcome:pass", 0),
        ("is:carried", 0),
        ("not is:carried", 480),
        ("revision:5.23.0 is:regressed", 10),
        ("revision:5.22.2", 0),
        ("stack:transformers==5.23*", 480),
        ("not stack:transformers==5.23*", 0),
    ],
)
def test_results_are_searched_by_how_they_stand(client: TestClient, query: str, meant: int) -> None:
    found = client.get("/runs/2.json", params={"q": query}).json()
    assert (found["query_error"], found["meant"]) == (None, meant)


def test_a_search_that_is_of_other_runs_is_asked_of_the_newest_of_those(client: TestClient) -> None:
    found = client.get("/matrix.json?q=revision:5.22.2 model:mamba").json()
    assert (found["run"]["id"], found["meant"]) == (1, 12)
    found = client.get("/matrix.json?run=2&q=revision:5.22.2 model:mamba").json()
    assert (found["run"]["id"], found["meant"], found["elsewhere"]["id"]) == (2, 0, 1)
    assert (
        "run=1&amp;q=revision%3A5.22.2+model%3Amamba"
        in client.get("/matrix?run=2&q=revision:5.22.2 model:mamba").text
    )
    assert client.get("/slowest.json?q=stack:transformers==5.22*").json()["run"]["id"] == 1
    assert client.get("/matrix.json?q=revision:no-such").json()["meant"] == 0


def test_cells_of_a_case_are_found_by_what_its_other_backends_say(client: TestClient) -> None:
    query = "onnx:fail and dynamo:pass"
    failing = client.get("/runs/2.json", params={"q": f"backend:onnx {query}"}).json()["meant"]
    assert failing > 0
    for narrower in ("backend:onnx outcome:fail", "backend:dynamo outcome:pass"):
        found = client.get("/runs/2.json", params={"q": f"{narrower} {query}"}).json()
        assert found["meant"] == failing


def test_a_selection_that_can_not_be_read_says_why_and_shows_all(client: TestClient) -> None:
    page = client.get("/runs/2?q=modle:mamba")
    assert page.status_code == 200
    assert "did you mean" in page.text
    assert "480 of 480" in page.text


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("/runs/5.23.1", "5.23.0"),
        ("/runs/99", "runs 1-3"),
        ("/groups/s1-nothing", "no failure group"),
        ("/cells/a/B/forward-static/onnx", "no run has the cell"),
        ("/cells/a/B/forward-statik/onnx", "forward-static"),
        ("/nowhere", "no such page"),
        ("/runs/٣", "no run"),
    ],
)
def test_an_address_that_names_nothing_says_what_there_is(
    client: TestClient, address: str, says: str
) -> None:
    page = client.get(address)
    assert page.status_code == 404
    assert says in page.text
    twin = client.get(address + ".json")
    assert (twin.status_code, twin.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("before", ["abc", "9" * 30, "-1"])
def test_an_address_that_can_not_be_read_is_a_page_too(client: TestClient, before: str) -> None:
    page = client.get(f"/runs?before={before}")
    assert page.status_code == 400
    assert "can&#39;t be read" in page.text
    assert "content-security-policy" in page.headers


def test_a_baseline_that_nobody_names_is_chosen_and_said_why(client: TestClient) -> None:
    page = client.get("/diff?head=2")
    assert page.url.path == "/diff/chosen/2"
    why = "run 1 at 5.22.2, the last complete one of this selection before it"
    assert why in page.text
    twin = client.get("/diff/chosen/2.json").json()
    assert (twin["baseline"]["id"], twin["chosen"]) == (1, why)
    assert client.get("/diff/1/2.json").json()["chosen"] is None
    assert "has no complete run of another revision" in client.get("/diff/chosen/1").text


def test_a_changed_cell_leads_to_the_head_of_the_diff(client: TestClient) -> None:
    assert "/swin/SwinForCausalLM/forward-dynamic/onnx?run=1" in client.get("/diff/2/1").text


def test_a_selection_counts_the_failure_groups_of_its_cells(client: TestClient) -> None:
    record = client.get("/runs/2.json?q=model:mamba").json()
    assert [(group["kind"], group["cells"]) for group in record["groups"]] == [
        ("missing-conversion", 4),
        ("specialized-shape", 1),
    ]


def _group(client: TestClient, title: str) -> dict[str, Any]:
    groups = client.get("/groups.json?run=2").json()["groups"]
    return next(group for group in groups if title in group["title"])


def test_a_group_is_owned_by_whom_its_cells_accuse(client: TestClient) -> None:
    group = _group(client, "SIGSEGV")
    evidence = "17 of 17 cells: dynamo passes the same case → executorch"
    assert (group["owner"], group["evidence"]) == ("executorch", evidence)
    assert evidence in client.get("/groups?run=2").text
    # the group's own page is about the newest run that has it, which was interrupted
    twin = client.get(f"/groups/{group['signature']}.json").json()
    assert twin["owner"] == {
        "name": "executorch",
        "evidence": "6 of 6 cells: dynamo passes the same case → executorch",
        "decided": True,
    }


def test_a_group_shows_its_root_with_what_contains_it_and_when_it_was_seen(
    client: TestClient,
) -> None:
    address = f"/groups/{_group(client, 'cummax')['signature']}"
    twin = client.get(f"{address}.json").json()
    [cause] = twin["by_type"]["llama"]
    assert cause["root"]["cell"]["model_class"] == "LlamaModel"
    assert [each["cell"]["model_class"] for each in cause["dependants"]] == [
        "LlamaForCausalLM",
        "LlavaForCausalLM",
        "LlavaModel",
    ]
    assert (twin["first"]["id"], twin["run"]["id"], twin["lives"]) == (1, 2, False)
    assert twin["example"].startswith("llama/LlamaModel/")
    page = client.get(address).text
    assert "1 cause, 3 that depend on it" in page
    assert "llava/LlavaModel</a>" in page


def test_groups_say_what_a_fix_turns_green_and_which_comes_first(client: TestClient) -> None:
    twin = client.get("/groups.json?run=2").json()
    guard = _group(client, "guard on")
    # at Mixtral's cells the conversion to ONNX fails behind the guard, or ExecuTorch crashes
    assert (guard["cells"], guard["unlocks"]) == (12, 8)
    steps = {step["signature"]: step["cells"] for step in twin["first"]}
    assert steps[guard["signature"]] == 10
    assert steps[_group(client, "selective_scan")["signature"]] == 12
    assert twin["first"][-1]["total"] == sum(steps.values())
    assert twin["failing"] == 74


def test_a_failing_cell_says_whose_it_is_and_between_which_runs_it_broke(
    client: TestClient,
) -> None:
    page = client.get("/cells/mamba/MambaModel/forward-static/onnx?run=2")
    assert "dynamo passes the same case" in page.text
    assert 'href="/diff/1/2"' in page.text
    twin = client.get("/cells/mamba/MambaModel/forward-static/onnx.json?run=2").json()
    assert (twin["last_good"]["id"], twin["first_bad"]["id"]) == (1, 2)
    assert twin["owner"]["name"] == "onnxscript"
    passes = client.get("/cells/bert/BertModel/forward-static/onnx.json?run=2").json()
    assert (passes["owner"], passes["last_good"], passes["first_bad"]) == (None, None, None)


def test_a_diff_tells_owners_and_folds_what_depends_on_a_root(client: TestClient) -> None:
    sections = client.get("/diff/1/2.json").json()["sections"]
    [group] = next(each for each in sections if each["change"] == "regressed")["groups"]
    assert group["owner"]["name"] == "onnxscript"
    assert len(group["cells"]) == 10
    roots = {cause["root"]["id"]: len(cause["dependants"]) for cause in group["causes"]}
    assert roots["mamba/MambaModel/forward-static/onnx"] == 1
    assert sum(1 + dependants for dependants in roots.values()) == 10
    assert group["owner"]["evidence"] in client.get("/diff/1/2").text


def test_a_diff_lists_so_many_of_a_group_and_leads_to_all(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffs, "_LISTED", 2)
    page = client.get("/diff/1/2?few").text  # else it may be remembered
    assert '<details class="group">' in page
    more = re.search(r'and (\d+) more, all of them <a href="([^"]+)"', page)
    assert more is not None
    assert int(more[1]) == len(_causes(client, "regressed")) - 2
    table = client.get(more[2].replace("&amp;", "&")).text.splitlines()
    assert sum(",regressed," in line for line in table) == 10


def _causes(client: TestClient, change: str) -> list[object]:
    sections = client.get("/diff/1/2.json").json()["sections"]
    [group] = next(each for each in sections if each["change"] == change)["groups"]
    causes: list[object] = group["causes"]
    return causes


@pytest.mark.parametrize(
    "address",
    ["/runs", "/runs/2?q=outcome:fail", "/matrix?run=2", "/groups?run=2", "/slowest", "/flaky",
     "/diff/1/2", "/cells/bert/BertModel/forward-static/onnx?run=2"],
)  # fmt: skip
def test_what_a_page_shows_is_a_table_one_link_away(client: TestClient, address: str) -> None:
    link = re.search(r'class="twin" href="(/tables/[^"]+)"', client.get(address).text)
    assert link is not None
    table = client.get(link[1].replace("&amp;", "&"))
    assert table.status_code == 200
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) > 1


def test_flaky_cells_are_told_with_the_runs_that_show_it(client: TestClient) -> None:
    twin = client.get("/flaky.json").json()
    assert [(each["id"], each["flips"], each["considered"]) for each in twin["cells"]] == [
        ("detr/DetrModel/forward-static/executorch", 3, 3),
        ("bert/BertModel/forward-static/executorch", 1, 2),
    ]
    page = client.get("/flaky").text
    assert "/cells/bert/BertModel/forward-static/executorch?run=2" in page
    assert client.get("/flaky?last=1").status_code == 400


def test_every_response_forbids_foreign_scripts_and_styles(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_nothing_but_reading_is_possible(client: TestClient) -> None:
    assert client.post("/runs/2").status_code == 405
    assert client.delete("/runs/2").status_code == 405


def test_an_empty_database_says_what_to_do_next(tmp_path: Path) -> None:
    engine = ensure(f"sqlite:///{tmp_path}/empty.db")
    with TestClient(create_app(engine)) as client:
        for address in ("/", "/runs", "/diff", "/groups", "/known"):
            assert "export-matrix run" in client.get(address).text
        assert client.get("/healthz").json() == {"status": "ok"}
    engine.dispose()


def test_a_run_tells_how_it_was_scheduled(client: TestClient, seeded: Engine) -> None:
    found = measured([(0.0, 10.3), (0.0, 4.0)], workers=2)
    assert found is not None
    writes.note_schedule(seeded, reads.run(seeded, "1").uid, found)
    told = "2 cells by 2 workers in 10.3 s, 1.00 times the least possible (10.3 s)"
    assert told in client.get("/runs/1").text
    assert client.get("/runs/1.json").json()["run"]["schedule"]["ratio"] == 1.0
    assert "least possible" not in client.get("/runs/2").text


def test_the_report_of_a_run_is_a_page_and_the_same_as_json(client: TestClient) -> None:
    page = client.get("/runs/2/report")
    twin = client.get("/runs/2/report.json").json()
    assert twin["headline"] in page.text
    assert (twin["baseline"]["id"], twin["state"]) == (1, "lost")
    assert "10 regressed" in page.text
    assert 'href="/cells/mamba/MambaModel/forward-static/onnx?run=2"' in page.text
    assert {each["word"] for each in twin["skips"]} == {"missing package"}
    assert "<script>alert" not in page.text
    assert 'href="/runs/2/report"' in client.get("/runs/2").text


def test_an_interrupted_run_is_reported_as_incomplete(client: TestClient) -> None:
    twin = client.get("/runs/3/report.json").json()
    assert twin["state"] == "incomplete"
    assert twin["lacking"] == ["288 of 480 cells have no result"]
    assert "Incomplete, there may be more" in client.get("/runs/3/report").text


def test_the_feed_tells_the_last_runs_with_links_to_their_reports(client: TestClient) -> None:
    answer = client.get("/feed.xml")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    atom = "{http://www.w3.org/2005/Atom}"
    entries = fromstring(answer.text).findall(f"{atom}entry")
    titles = [entry.findtext(f"{atom}title") or "" for entry in entries]
    assert [title.partition(":")[0] for title in titles] == [
        "3 · 5.23.0",
        "2 · 5.23.0",
        "1 · 5.22.2",
    ]
    assert "❌" in titles[1]
    assert "✅" not in titles[0]
    link = entries[1].find(f"{atom}link")
    assert link is not None
    assert link.get("href") == "http://testserver/runs/2/report"
