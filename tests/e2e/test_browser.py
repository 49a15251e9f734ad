"""The pages in a real browser: no errors, no sideways scrolling, nothing that axe-core objects to.

Keys and completion need scripts; the journeys without them are here as well. `vendor/axe.min.js` is
axe-core 4.14.1 as its npm package has it (MPL-2.0).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from dashboard.app import create_app
from harness.results import Stage
from runner.core.label import label
from runner.core.runs import Progress, RunningCell
from runner.store import reads, tables, writes
from runner.store.engine import Engine, ensure
from tests.fakegithub import served
from tests.pulls import FACTS
from tests.seed import STACK, cells, result

PAGES = [
    "/",
    "/matrix?run=2&rows=types&by=family&q=family:qwen or model:mamba",
    "/matrix?run=2&q=outcom:fail&rows=types",
    "/models/llama",
    "/slowest?run=2&q=outcom:fail",
    "/fleet",
    "/runs",
    "/runs/2?q=model:mamba",
    "/runs/3?q=model:bert",
    "/runs/2/report",
    "/diff",
    "/diff/1/2",
    "/groups?run=2",
    "/groups/{group}",
    "/triage",
    "/access",
    "/known",
    "/flaky",
    "/detector",
    "/cells/mamba/MambaModel/forward-static/onnx?run=2",
    "/cells/bert/BertModel/forward-static/onnx?run=2",
    f"/pr/{FACTS.number}",
    "/nowhere",
]
EMPTY = ["/", "/matrix", "/groups", "/runs", "/diff", "/slowest", "/known", "/fleet", "/detector"]
BEGUN = ["/", "/runs/1", "/fleet"]
AXE = Path(__file__).with_name("vendor") / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Engine]:
    """An empty database."""
    engine = ensure(f"sqlite:///{tmp_path}/bare.db")
    yield engine
    engine.dispose()


def _told(page: Page, address: str, paths: list[str], width: int) -> list[str]:
    """What is wrong with pages, in both colour schemes."""
    told: list[str] = []
    page.on("pageerror", lambda error: told.append(str(error)))
    axe = AXE.read_text()
    for path in paths:
        page.goto(address + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            told.append(f"{path} is too wide")
        page.evaluate(axe)
        # All but contrast is the same in the other scheme.
        for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = page.evaluate("rules => axe.run(document, { runOnly: rules })", rules)
            told += [
                f"{path}, {scheme}: {each['id']}: {each['nodes'][0]['html']}"
                for each in found["violations"]
            ]
    return told


def _begun(engine: Engine) -> None:
    """A run that has just begun: a few cells done, and one that takes long."""
    now, planned = datetime.now(UTC), cells()
    writes.open_run(
        engine,
        uid="begun",
        revision="5.23.0",
        stack=STACK,
        selection="popular",
        started_at=now,
        cells=planned,
    )
    done = [label(result(cell, "5.23.0").replace(run="begun")) for cell in planned[:20]]
    writes.ingest_results(engine, done)
    slow = RunningCell(cell=planned[20].id, attempt=1, stage=Stage.LOWER, seconds=70)
    told = Progress(done=20, expected=480, verdicts={}, at=now, running=(slow,))
    writes.note_progress(engine, "begun", "here", told)


@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_the_screen_report_no_error_and_please_axe(
    address: str, bare: Engine, browser: Browser, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        bypass_csp=True,  # for axe alone; that our own scripts obey it is shown below
    )
    page = context.new_page()
    page.goto(address + "/groups?run=2")
    group = page.locator("td.title a").first.get_attribute("href") or ""
    told = _told(page, address, [path.replace("/groups/{group}", group) for path in PAGES], width)
    with served(create_app(bare)) as empty:
        told += _told(page, empty, EMPTY, width)
        _begun(bare)
        told += _told(page, empty, BEGUN, width)
    context.close()
    assert told == []


def test_a_regression_is_assigned_and_reproduced_without_scripts(
    address: str, browser: Browser
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(address + "/diff/1/2")
    page.locator('#regressed a[href^="/groups/"]').first.click()
    page.get_by_label("Assignee").fill("me")
    page.get_by_label("State").select_option("investigating")
    page.get_by_role("button", name="Save").click()
    name = page.url.rpartition("/")[2].partition("#")[0]
    assert page.get_by_label("Assignee").input_value() == page.locator(".who").inner_text()
    assert page.get_by_text(f"export-matrix reproduce {name}").first.is_visible()
    page.goto(address + f"/triage?group={name}")
    assert "investigating" in page.locator("main").inner_text()
    page.context.close()


def test_scripts_obey_the_policy_that_pages_are_sent_with(address: str, browser: Browser) -> None:
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for path in ("/", "/models/llama"):
        page.goto(address + path)
        page.locator(".plot canvas").wait_for()
    page.goto(address + "/matrix?run=2")
    page.close()
    assert told == []


def test_the_matrix_is_gone_through_by_keys_alone(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address + "/matrix?run=2&rows=types")
    page.keyboard.press("m")
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "End"):
        page.keyboard.press(key)
    focused = page.locator(":focus")
    assert focused.get_attribute("href") == "/matrix?run=2&q=model:bart"
    told = focused.evaluate("link => getComputedStyle(link, '::after').content")
    assert "refuses other sizes" in told
    assert page.locator('.matrix tbody a[tabindex="0"]').count() == 1
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.get_by_role("rowheader", name="bart BartForCausalLM").wait_for()
    page.keyboard.press("/")
    assert page.locator(":focus").input_value() == "model:bart"
    page.close()


def test_a_search_is_completed_and_its_address_says_the_same_to_others(
    address: str, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(address + "/matrix?run=2")
    box = page.get_by_role("combobox", name="Select")
    box.press_sequentially("model:mix")
    page.get_by_role("option", name="model:mixtral").wait_for()
    box.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") == "q-list-0"
    box.press("Enter")
    assert box.input_value() == "model:mixtral "
    box.press_sequentially("outcome:fail")
    page.get_by_role("option", name="outcome:fail").wait_for()
    box.press("Escape")
    box.press("Enter")
    page.wait_for_url("**q=model*")
    shown = page.get_by_role("rowheader").all_inner_texts()
    other = browser.new_page()
    other.goto(page.url)
    assert other.get_by_role("rowheader").all_inner_texts() == shown
    assert len(shown) == 2
    page.close()
    other.close()


def test_a_query_that_can_not_be_read_has_its_wrong_piece_selected(
    address: str, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(address + "/matrix?run=2&q=model:bert outcom:fail")
    selected = page.evaluate(
        "() => { const box = document.activeElement;"
        " return box.value.slice(box.selectionStart, box.selectionEnd); }"
    )
    assert selected == "outcom:fail"
    page.close()


def test_without_scripts_the_matrix_is_searched_sorted_and_followed_down(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address + "/matrix?run=2&rows=types")
    page.get_by_label("Sort by").select_option("failing")
    page.get_by_label("Select").fill("backend:onnx")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_role("rowheader").first.inner_text() == "mamba"
    page.get_by_role("row", name="mamba ").get_by_role("link").nth(1).click()
    page.get_by_role("link", name="F fail").first.click()
    assert page.get_by_role("heading", name="Traceback").is_visible()
    context.close()


def test_a_reader_without_scripts_gets_from_the_overview_to_a_traceback(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="Failure groups", exact=True).click()
    page.goto(address + "/groups?run=2")
    page.get_by_role("link", name="selective_scan").first.click()
    page.get_by_role("link", name="MambaModel · forward-static · onnx").first.click()
    assert page.get_by_role("heading", name="Traceback").is_visible()
    assert "No ONNX function found" in page.content()
    context.close()


def test_the_search_box_filters_the_matrix(address: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(address + "/runs/2")
    page.get_by_label("Select").fill("model:llama backend:onnx")
    page.get_by_role("button", name="Show").click()
    assert page.get_by_role("rowheader").count() == 2
    assert "q=model%3Allama" in page.url
    page.close()


def test_what_runs_is_told_anew_in_place(address: str, browser: Browser, seeded: Engine) -> None:
    reopened = update(tables.run).where(tables.run.c.id == 3).values(closed_at=None)
    with seeded.begin() as connection:
        connection.execute(reopened)

    def tell(done: int) -> None:
        told = Progress(done=done, expected=480, verdicts={}, at=datetime.now(UTC))
        writes.note_progress(seeded, reads.run(seeded, "3").uid, "here", told)

    tell(7)
    page = browser.new_page()
    page.goto(address)
    page.get_by_text("7 of 480").first.wait_for()
    page.evaluate("document.title = 'not loaded again'")
    tell(99)
    page.get_by_text("99 of 480").first.wait_for()
    assert page.title() == "not loaded again"
    page.close()
