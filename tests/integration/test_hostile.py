"""Hostile requests and hostile content: no page breaks, and nothing that was stored is executed."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from io import BytesIO, StringIO
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import fromstring

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from prometheus_client.parser import text_string_to_metric_families
from pyarrow.parquet import read_table
from schemathesis.core.failures import FailureGroup
from typer.testing import CliRunner

from dashboard.app import create_app
from dashboard.signin.access import Access
from runner.cli import app as commands
from runner.core.nights import Night, in_vain, slack_text
from runner.core.plain import storable
from runner.core.pull.check import as_check
from runner.core.pull.comment import as_comment
from runner.core.report.junit import as_junit
from runner.core.report.junit_read import read_junit
from runner.core.report.markdown import as_markdown
from runner.settings import Settings
from runner.settings import settings as ours
from runner.steps.pulled import stored_report
from runner.steps.reporting import report_of
from runner.steps.subscribing import news, record
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.hostile import (
    CELL,
    COMMAND,
    MARK,
    STEERING,
    TEXTS,
    Stored,
    formulas,
    live,
    safe_link,
    store,
)
from tests.pulls import seen
from tests.seed import seed

HERE = "http://127.0.0.1:8000"
#: requests of each operation that schemathesis makes up
_EXAMPLES = 60


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('hostile')}/seed.db"


@pytest.fixture(scope="module")
def seeded(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    known = tmp_path_factory.mktemp("known") / "mine.toml"
    known.write_text("".join(map(_known, TEXTS)), encoding="utf-8")
    engine = ensure(url)
    seed(engine)
    with pytest.MonkeyPatch.context() as here:
        here.setenv("EXPORT_MATRIX_KNOWN_FAILURES", str(known))
        ours.cache_clear()
        yield engine
    ours.cache_clear()
    engine.dispose()


def _known(text: str) -> str:
    """A row of known failures that says it, as TOML writes it."""
    told = json.dumps(text.encode("utf-8", "replace").decode()).replace("\x7f", "")
    dates = "added_on = 2026-01-01\nexpires_on = 2999-01-01\n"
    link = "https://evil.example/" + quote(text.encode("utf-8", "replace")[:40])
    return f'[[known]]\ncells = "bert"\nreason = {told}\nlink = "{link}"\n{dates}'


@pytest.fixture(scope="module")
def stored(seeded: Engine) -> Sequence[Stored]:
    return store(seeded)


@pytest.fixture(scope="module")
def client(seeded: Engine, stored: Sequence[Stored]) -> Iterator[TestClient]:
    """The local user's browser: who may see, and change, everything."""
    assert stored
    access = Access.of(Settings(), "127.0.0.1")
    app = create_app(seeded, access)
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def addresses(seeded: Engine, stored: Sequence[Stored]) -> Sequence[str]:
    """Every page, and those of each text."""
    runs = {
        name: reads.run(seeded, name).id
        for each in stored
        for name in (each.before, each.after, each.open)
    }
    cell = "bert/BertModel/forward-static/onnx"
    every = ["/", "/matrix", "/runs", "/diff", "/groups", "/triage", "/known", "/flaky"]
    every += ["/detector", "/slowest", "/fleet", "/access", "/signin", "/models/bert"]
    for each in stored:
        before, after = runs[each.before], runs[each.after]
        groups = reads.groups(seeded, after)
        every += [f"/groups/{group.signature}" for group in groups]
        every += [f"/runs/{runs[each.open]}", f"/runs/{after}", f"/runs/{after}/report"]
        every += [f"/diff/{before}/{after}", f"/pr/{each.pull.number}"]
        every += [f"/cells/{cell}?run={after}", f"/matrix?run={after}", f"/groups?run={after}"]
        every += [f"/slowest?run={after}", f"/models/bert?run={after}", f"/known?run={after}"]
    return every


def test_hostile_content_breaks_no_page_and_is_never_live(
    client: TestClient, addresses: Sequence[str]
) -> None:
    wrong: dict[str, object] = {}
    marked = set()
    for address in addresses:
        page = client.get(address)
        found = live(page.text)
        if page.status_code != 200 or found or "set-cookie" in page.headers:
            wrong[address] = found or page.status_code
        if MARK in page.text:
            marked.add(address.strip("/").partition("/")[0].partition("?")[0])
    assert wrong == {}
    assert marked >= {"", "runs", "groups", "triage", "known", "detector", "fleet", "access",
                      "diff", "pr", "cells", "matrix", "models", "slowest"}  # fmt: skip


def test_no_page_is_left_out(client: TestClient, addresses: Sequence[str]) -> None:
    assert isinstance(client.app, FastAPI)
    paths = [each.partition("?")[0] for each in addresses]
    left = [
        route.path
        for route in client.app.state.pages
        if "GET" in route.methods
        and not route.path.startswith(("/api", "/badges", "/tables", "/signin/"))
        and not route.path.endswith(("z", ".json", ".xml", ".sqlite", "/metrics"))
        and not any(route.path_regex.match(path) for path in paths)
    ]
    assert left == []


@pytest.mark.parametrize(
    "page",
    [
        "<script>1</script>",
        "<script src=//evil.example/x.js></script>",
        "<p onclick=x>",
        '<a href="javascript:x">',
        '<a href=" java&#10;script:x">',
        '<a href="//evil.example">',
        '<a href="data:text/html,x">',
        "<img src=https://evil.example/x.png>",
        '<form action="//evil.example">',
        "<iframe>",
        '<meta http-equiv="refresh" content="0;url=//evil.example">',
        "<p style=x>",
        "<svg><use href=//evil.example/x>",
        "\u202e",
        "\x1b[31m",
    ],
)
def test_what_is_live_is_found(page: str) -> None:
    assert live(page)


def test_hostile_content_breaks_no_twin(client: TestClient, addresses: Sequence[str]) -> None:
    wrong: dict[str, object] = {}
    for each in addresses:
        if each == "/signin":
            continue
        twin = "/index.json" if each == "/" else re.sub(r"(\?|$)", r".json\1", each, count=1)
        answer = client.get(twin)
        kind = [answer.headers.get(name) for name in ("content-type", "x-content-type-options")]
        if answer.status_code != 200 or kind != ["application/json", "nosniff"]:
            wrong[twin] = answer.status_code, kind
        json.loads(answer.text)
    assert wrong == {}


def test_no_cell_of_a_table_is_a_formula(client: TestClient, stored: Sequence[Stored]) -> None:
    assert [*formulas('a,"b;=1"\n')] == ['=1"']
    for each in stored:
        tables = [f"{name}.{{}}?run={quote(each.after)}" for name in ("cells", "groups", "changes")]
        for name in ("runs.{}", "flaky.{}", f"history.{{}}?cell={CELL.id}", *tables):
            answer = client.get(f"/tables/{name.format('csv')}")
            assert (answer.status_code, [*formulas(answer.text)]) == (200, []), name
            told = answer.headers["content-disposition"]
            assert re.fullmatch(r'attachment; filename="\w+\.csv"', told)
            packed = client.get(f"/tables/{name.format('parquet')}").content
            rows = read_table(BytesIO(packed)).to_pylist()
            assert len(rows) == len([*csv.reader(StringIO(answer.text, newline=""))]) - 1


def test_feeds_and_badges_are_well_formed_and_lead_to_pages(
    client: TestClient, seeded: Engine, stored: Sequence[Stored]
) -> None:
    for query in ("", *TEXTS):
        words = quote(f'"{query}"'.encode("utf-8", "replace")[:600]) if query else ""
        told = client.get(f"/feed.xml?q={words}")
        assert told.status_code in (200, 404)
        if told.status_code == 200:
            links = [each.get("href") or "" for each in fromstring(told.text).iter("{*}link")]
            assert all(each.startswith(f"{HERE}/") for each in links)
            assert not STEERING.search(told.text)
    for each in stored:
        number = reads.run(seeded, each.after).id
        badge = client.get(f"/badges/runs/{number}.svg").text
        assert fromstring(badge) is not None
        assert live(badge) == []


def test_metrics_have_names_of_ours_alone(client: TestClient) -> None:
    for text in TEXTS:
        client.get("/" + quote(text.encode("utf-8", "replace")[:200]))
    told = client.get("/metrics").text
    assert [*text_string_to_metric_families(told)]
    assert MARK not in told


def test_what_a_pull_request_is_told_has_no_markup_and_calls_nobody(
    seeded: Engine, stored: Sequence[Stored]
) -> None:
    for each in stored:
        comment = as_comment(stored_report(seeded, each.pull, dashboard="https://matrix.example"))
        tags, plain, coded = seen(comment)
        assert MARK in coded or "evil" in coded
        assert not re.search(rf"{MARK}|@|evil|\[x\]", plain), plain
        assert not {"script", "img", "a"} & {*tags} - {"a"}
        assert not STEERING.search(comment)


def test_reports_as_markdown_have_no_markup_of_theirs(
    seeded: Engine, stored: Sequence[Stored]
) -> None:
    for each in stored:
        told = as_markdown(report_of(seeded, each.after))
        tags, _, _ = seen(told)
        assert not {"script", "img", "b"} & {*tags}
        assert not STEERING.search(told)


def test_a_check_run_has_markup_and_files_of_ours_alone(
    seeded: Engine, stored: Sequence[Stored]
) -> None:
    for each in stored:
        told = as_check(stored_report(seeded, each.pull, dashboard="https://matrix.example"))
        output = told["output"]
        for text in (output["summary"], output["text"]):
            tags, plain, _ = seen(text)
            assert not re.search(rf"{MARK}|@|evil|\[x\]", plain), plain
            assert not {"script", "img"} & {*tags}
        assert "\n" not in output["title"]
        for note in output["annotations"]:
            assert note["path"] == "src/transformers/models/bert/modeling_bert.py"
            assert len(note["title"]) <= 255
        assert not STEERING.search(json.dumps(told, ensure_ascii=False).replace("\\n", ""))
        assert not COMMAND.search("\n".join([output["title"], output["summary"], output["text"]]))


def test_junit_xml_is_read_back_cell_by_cell_whatever_it_tells(
    seeded: Engine, stored: Sequence[Stored]
) -> None:
    for each in stored:
        run = reads.run(seeded, each.after)
        verdicts = reads.verdicts(seeded, run.id)
        told = read_junit(as_junit(run, verdicts))
        assert {one.cell: one.outcome.value for one in told.results} == {
            one.cell: one.verdict.value for one in verdicts
        }


@pytest.mark.parametrize("text", TEXTS)
def test_a_message_to_a_chat_calls_nobody_and_links_to_pages_of_ours(text: str) -> None:
    night = Night(stack="local", day=date(2026, 11, 27), revision=storable(text))
    told = replace(in_vain(night, f"@channel <!here> {text}"), run=7, sections=((3, text),))
    message = slack_text(told, root=HERE)
    assert re.findall("<[^>]*>", message) == [f"<{HERE}/runs/7/report|The report>"]
    assert not re.search(r"@\w", message)
    assert not STEERING.search(message.replace("\n", ""))


def test_a_webhook_tells_it_as_json_of_ascii_with_addresses_of_ours(
    seeded: Engine, stored: Sequence[Stored]
) -> None:
    for each in stored:
        told = record(news(seeded, reads.run(seeded, each.after), "outcome:fail"), HERE)
        assert told["data"]["came"]
        assert all(cell["url"].startswith(f"{HERE}/") for cell in told["data"]["came"])
        assert json.dumps(told).isascii()


def test_no_command_prints_what_steers_a_terminal_or_a_ci(
    url: str, seeded: Engine, stored: Sequence[Stored]
) -> None:
    runs = [(each.before, each.after) for each in stored]
    asked = [["diff", *pair, *form] for pair in runs for form in ([], ["--format", "markdown"])]
    asked += [["diff", *pair, "--format", "json"] for pair in runs]
    for after in (after for _, after in runs):
        asked += [
            ["report", after],
            ["unlock", after],
            ["known", after],
            ["known", after, "--json"],
            *(["report", after, "--format", form] for form in ("html", "json", "junit")),
        ]
        group = reads.groups(seeded, reads.run(seeded, after).id)[0].signature
        asked += [["triage", group], ["triage", group, "--json"]]
    asked += [["subscribe", "list"], ["token", "list"], ["subscribe", "list", "--json"]]
    for words in asked:
        done = CliRunner().invoke(commands, [*words, "--database", url], env={"COLUMNS": "200"})
        assert done.exit_code == 0, (words, done.output, done.exception)
        assert not STEERING.search(done.output), words
        assert not COMMAND.search(done.output), words


@pytest.mark.parametrize("text", TEXTS)
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
        assert "set-cookie" not in answer.headers
        assert safe_link(answer.headers.get("location", "")), address
        if "html" in answer.headers.get("content-type", ""):
            assert live(answer.text) == [], address


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
