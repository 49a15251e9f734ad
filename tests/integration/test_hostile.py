"""Hostile requests and hostile content: no page breaks, and nothing that was stored is executed."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree.ElementTree import fromstring

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import FailureGroup

from dashboard.app import create_app
from harness.cells import Cell, Variant
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.label import label
from runner.store import reads, writes
from runner.store.engine import Engine, ensure
from tests.seed import seed

#: requests of each operation that schemathesis makes up
_EXAMPLES = 60
_MARK = "h0st1le"
_HOSTILE = (
    f"<script>{_MARK}()</script>\"'><img src=x onerror={_MARK}()>",
    f"javascript:{_MARK}()//%0d%0aSet-Cookie: a={_MARK}",
    f"'; DROP TABLE run; -- {_MARK}",
    f"../../../../etc/passwd\0{_MARK}",
    f"\u202e{_MARK}\u2066\u200f half \ud800 \x1b[31m\x07",
    f"{{{{ 7 * 7 }}}} {{% raw %}} ]]> --> {_MARK}",
    _MARK + "\u0130" * 20_000,
)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('hostile')}/seed.db")
    seed(engine)
    for number, text in enumerate(_HOSTILE):
        _store(engine, f"run{number}-{text}", text)
    yield engine
    engine.dispose()


def _store(engine: Engine, name: str, text: str) -> None:
    """A run whose every field that others write has that text."""
    clean = text.replace("\0", "").encode("utf-8", "replace").decode()[:150]
    cell = Cell("bert", "BertModel", Variant.FORWARD_STATIC, "onnx")
    uid = f"{name}"[:150].replace("\0", "").encode("utf-8", "replace").decode()
    difference = OutputDifference(name=text, sizes=text, dtype=text, problem="values")
    part = ComponentResult(
        name=text,
        outcome=Outcome.FAIL,
        stage=Stage.LOWER,
        reason=text,
        outputs=(difference,),
        notes=(text,),
    )
    found = Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=Stage.LOWER,
        reason=text,
        components=(part,),
        durations_s={"build": 0.1},
        traceback=f'Traceback:\n  File "{text}", line 1, in {text}\nValueError: {text}',
        log_tail=text,
        provider="transformers",
        recipe={text: text},
    )
    stack = {"torch": clean, clean: clean}
    writes.open_run(
        engine,
        uid=uid,
        revision=clean,
        stack=stack,
        selection=clean,
        started_at=datetime.now(UTC),
        cells=[cell, Cell("bert", "BertModel", Variant.FORWARD_STATIC, "dynamo")],
    )
    skipped = Result(
        cell=Cell("bert", "BertModel", Variant.FORWARD_STATIC, "dynamo"),
        outcome=Outcome.SKIP,
        reason=text,
        durations_s={},
        provider="transformers",
    )
    results = (each.replace(run=uid, revision=clean, stack=stack) for each in (found, skipped))
    writes.ingest_results(engine, map(label, results))
    writes.close_run(engine, uid, closed_at=datetime.now(UTC), duration_s=1.0)


@pytest.fixture(scope="module")
def client(seeded: Engine) -> Iterator[TestClient]:
    with TestClient(create_app(seeded), raise_server_exceptions=False) as client:
        yield client


class _Live(HTMLParser):
    """What of a page a browser would execute or go to that is not ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        ours = (given.get("src") or "").startswith(
            "/static/"
        ) or "application/json" in given.values()
        if tag == "script" and not ours:
            self.found.append(f"script {given}")
        self.found += [f"{tag} {name}" for name in given if name.startswith("on")]
        for name in ("href", "src", "action", "formaction"):
            scheme = urlsplit(given.get(name) or "").scheme
            if scheme not in ("", "http", "https", "data"):
                self.found.append(f"{tag} {name} {given[name]}")
        if _MARK in tag:
            self.found.append(tag)


def _addresses(engine: Engine) -> list[str]:
    runs = [run.id for run in reads.runs(engine, limit=len(_HOSTILE))]
    group = next(each for run in runs for each in reads.groups(engine, run))
    cell = "bert/BertModel/forward-static/onnx"
    return [
        *("/", "/runs", "/groups", f"/groups/{group.signature}", "/matrix", "/known", "/flaky"),
        *(f"/runs/{run}" for run in runs),
        *(f"/runs/{run}/report" for run in runs),
        *(f"/diff/{run - 1}/{run}" for run in runs),
        *(f"/cells/{cell}?run={run}" for run in runs),
        *(f"/models/bert?run={runs[0]}", "/detector", "/diff"),
    ]


def test_hostile_content_breaks_no_page_and_is_never_live(
    client: TestClient, seeded: Engine
) -> None:
    wrong: dict[str, object] = {}
    for address in _addresses(seeded):
        page = client.get(address)
        live = _Live()
        live.feed(page.text)
        if page.status_code != 200 or live.found or "set-cookie" in page.headers:
            wrong[address] = live.found or page.status_code
    assert wrong == {}


def test_hostile_content_breaks_no_twin_and_no_file(client: TestClient, seeded: Engine) -> None:
    addresses = [
        "/index.json" if each == "/" else re.sub(r"(\?|$)", r".json\1", each, count=1)
        for each in _addresses(seeded)
    ]
    run = reads.run(seeded, "latest").id
    files = [f"/tables/{name}.csv?run={run}" for name in ("runs", "cells", "groups", "changes")]
    files += [each.replace(".csv", ".parquet") for each in files]
    statuses = {each: client.get(each).status_code for each in [*addresses, *files]}
    assert {each: status for each, status in statuses.items() if status != 200} == {}
    fromstring(client.get("/feed.xml").text)
    fromstring(client.get(f"/badges/runs/{run}.svg").text)


@pytest.mark.parametrize("text", _HOSTILE)
def test_a_hostile_address_is_refused_in_a_line_or_means_nothing(
    client: TestClient, text: str
) -> None:
    word = quote(text.encode("utf-8", "replace")[:2000])
    paths = ["/runs/{}", "/groups/{}", "/cells/{}", "/models/{}", "/diff/{}/latest", "/pr/{}"]
    queries = ["/runs/2?q={}", "/matrix?q={}&sort={}", "/groups?run={}", "/api/v1/complete?q={}"]
    queries += ["/tables/cells.csv?q={}", "/badges/models/bert.svg?backend={}", "/feed.xml?q={}"]
    for address in (*paths, *(f"{each}.json" for each in paths), *queries):
        answer = client.get(address.replace("{}", word), follow_redirects=False)
        assert answer.status_code < 500, address
        live = _Live()
        if "html" in answer.headers.get("content-type", ""):
            live.feed(answer.text)
        assert live.found == [], address


def test_schemathesis_finds_nothing_in_the_api(client: TestClient) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 15
    found = [told for operation in operations if (told := _found(operation))]
    assert "\n\n".join(found) == ""


def _found(operation: Any) -> str:  # noqa: ANN401  (a library's, untyped)
    """What is wrong with an operation, asked of all kinds of things."""

    @settings(
        max_examples=_EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:  # noqa: ANN401
        case.call_and_validate()

    try:
        asked()
    except FailureGroup as error:
        return str(error.exceptions[0])
    return ""
