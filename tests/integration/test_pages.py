"""The pages over the seed: all there, linked, escaped, and the same as their JSON."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.seed import HOSTILE, seed

PAGES = [
    "/",
    "/runs",
    "/runs/2",
    "/runs/2?q=model:mixtral outcome:fail",
    "/runs/5.22.2",
    "/runs/latest",
    "/diff",
    "/diff/1/2",
    "/diff/5.22.2/latest",
    "/groups",
    "/groups?run=1",
    "/known",
    "/known?run=1",
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
        assert "<script" not in page


def test_a_run_with_missing_cells_is_told_as_incomplete(client: TestClient) -> None:
    page = client.get("/runs/3").text
    assert "incomplete: 192 of 480" in page
    assert "288 missing" in page


def test_a_selection_filters_the_matrix_and_is_the_address(client: TestClient) -> None:
    page = client.get("/runs/2?q=backend:onnx model:mamba").text
    assert "MambaForCausalLM" in page
    assert "BertModel" not in page.partition("Failure groups</h2>")[0]
    assert "executorch" not in page.partition("</table>")[0].partition("<table>")[2]


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


def test_a_changed_cell_leads_to_the_head_of_the_diff(client: TestClient) -> None:
    assert "/swin/SwinForCausalLM/forward-dynamic/onnx?run=1" in client.get("/diff/2/1").text


def test_a_selection_counts_the_failure_groups_of_its_cells(client: TestClient) -> None:
    record = client.get("/runs/2.json?q=model:mamba").json()
    assert [(group["kind"], group["cells"]) for group in record["groups"]] == [
        ("missing-conversion", 4),
        ("specialized-shape", 1),
    ]


def test_every_response_forbids_foreign_scripts_and_styles(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
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
