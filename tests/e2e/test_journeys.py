"""What people come for, gone through in a real browser: by keys, on a phone, on paper, with the
settings of those who see differently.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from runner.store import reads
from runner.store.engine import Engine
from tests.pulls import COMMITS, FACTS

#: what has the focus, and what is wrong with how that shows
FOCUSED = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const style = getComputedStyle(at);
    const marked = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
    const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {
        at: at.getAttribute('href') ?? at.id,
        wrong: marked && seen && box.height ? [] : [at.outerHTML.slice(0, 200)],
    };
}"""
#: those that nobody can read without scrolling sideways inside of them
CUT = """() => [...document.querySelectorAll('table, pre')]
    .filter((found) => found.checkVisibility() && [found, found.parentElement]
        .some((each) => each.scrollWidth > each.clientWidth + 1))
    .map((found) => found.textContent.trim().slice(0, 60))"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page()
    yield found
    found.close()


def _wide(page: Page) -> bool:
    """Whether the page has to be scrolled sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_a_pull_request_leads_to_a_cell_and_what_became_of_it_before(
    address: str, page: Page
) -> None:
    page.goto(f"{address}/pr/{FACTS.number}?sha={COMMITS.head[:8]}")
    assert page.get_by_role("heading", level=1).inner_text().endswith("from this PR")
    assert "P pass ⟹ F fail" in " ".join(page.locator("#regressed li").first.inner_text().split())
    page.locator("#regressed").get_by_role("link", name="mamba/MambaModel/").first.click()
    assert page.get_by_role("heading", name="Traceback").is_visible()
    assert "fail at lower" in page.locator(".summary").inner_text()
    history = page.locator("section", has=page.get_by_role("heading", name="History"))
    history.get_by_role("link", name="run 1").click()
    assert page.locator(".summary").inner_text().startswith("P pass with Transformers 5.22.2")


def test_from_the_overview_to_a_group_and_back_by_keys_alone_the_focus_always_shows(
    address: str, page: Page
) -> None:
    page.goto(address)
    wrong: list[str] = []

    def press(key: str) -> str:
        page.keyboard.press(key)
        found = page.evaluate(FOCUSED)
        wrong.extend(found["wrong"])
        return str(found["at"])

    assert press("Tab") == "#main"
    assert press("Enter") == "main"
    passed = [press("Tab")]
    while not passed[-1].startswith("/groups/") and len(passed) < 60:
        passed.append(press("Tab"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{passed[-1]}")
    assert press("Tab") == "#main"
    page.go_back()
    assert press("Tab") != ""
    assert wrong == []


def test_one_key_leads_to_the_search_and_one_tells_the_keys(address: str, page: Page) -> None:
    for path in ("/", "/groups?run=2", "/slowest?run=2", "/runs/2"):
        page.goto(address + path)
        page.keyboard.press("/")
        assert page.locator(":focus").get_attribute("name") == "q", path
    page.keyboard.press("Escape")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    assert keys.is_visible()
    page.keyboard.press("Escape")
    assert not keys.is_visible()


def test_on_a_phone_a_regression_is_found_assigned_and_reproduced(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name=re.compile(r"\d+ regressed")).tap()
    page.wait_for_url("**/diff/1/2#regressed")
    assert not _wide(page)
    page.locator('#regressed a[href^="/groups/"]').first.tap()
    page.get_by_label("Assignee").fill("me")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").tap()
    assert page.get_by_label("Assignee").input_value() == page.locator(".who").inner_text()
    command = page.get_by_text(re.compile("^export-matrix reproduce")).first
    command.scroll_into_view_if_needed()
    assert command.is_visible()
    assert command.evaluate("found => found.scrollWidth <= found.clientWidth")
    assert not _wide(page)
    context.close()


def test_groups_what_is_said_of_them_and_what_is_sorted_by_have_room_on_a_phone(
    address: str, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    titles = page.locator(".top-groups a")
    assert "upstream" in page.locator(".top-groups").last.inner_text()
    assert min(titles.evaluate_all("all => all.map(each => each.clientWidth)")) > 150
    page.goto(address + "/groups?run=2")
    assert page.evaluate(CUT) == []
    page.goto(address + "/triage")
    assert page.evaluate(CUT) == []
    assert page.get_by_text("state: new → upstream").is_visible()
    page.goto(address + "/slowest?run=2&by=max_abs_diff")
    sorted_by = page.get_by_role("columnheader", name="difference to eager").bounding_box()
    assert sorted_by
    assert sorted_by["x"] + sorted_by["width"] < 390
    page.close()


def test_a_search_of_groups_says_the_same_to_whom_its_address_is_given(
    address: str, browser: Browser, page: Page
) -> None:
    page.goto(address + "/groups?run=2")
    every = page.locator("td.title a").count()
    page.get_by_role("searchbox").fill("backend:executorch")
    page.get_by_label("Order").select_option("by kind")
    page.get_by_role("button", name="Show").click()
    shown = page.locator("td.title").all_inner_texts()
    other = browser.new_page()
    other.goto(page.url)
    assert other.locator("td.title").all_inner_texts() == shown
    assert other.get_by_role("searchbox").input_value() == "backend:executorch"
    assert 0 < len(shown) < every
    other.close()


def test_on_paper_there_are_no_controls_no_cut_tables_and_dark_letters(
    address: str, browser: Browser, seeded: Engine
) -> None:
    # The width of A4 within margins, printed by somebody whose screen is dark.
    page = browser.new_page(viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    wrong: list[str] = []
    group = reads.groups(seeded, 2)[0].signature
    for path in (
        "/",
        "/matrix?run=2&rows=types",
        "/runs/2",
        "/diff/1/2",
        "/groups?run=2",
        f"/groups/{group}",
        "/cells/mamba/MambaModel/forward-static/onnx?run=2",
        f"/pr/{FACTS.number}",
        "/slowest?run=2",
    ):
        page.goto(address + path)
        controls = page.locator("nav, fieldset, input, select, button, .button, dialog").all()
        wrong += [f"{path}: {each.evaluate('e => e.outerHTML.slice(0, 80)')}"
                  for each in controls if each.is_visible()]  # fmt: skip
        wrong += [f"{path} is cut: {each}" for each in page.evaluate(CUT)]
        dark = page.locator(".pass, .fail, h1, p, td, .sq").evaluate_all(
            "all => all.filter((each) => getComputedStyle(each).color.match(/\\d+/g)"
            ".reduce((sum, part) => sum + Number(part), 0) > 450).length"
        )
        wrong += [f"{path} has {dark} light letters"] * (dark > 0)
    page.close()
    assert "\n".join(wrong) == ""


def test_without_colours_or_motion_every_outcome_is_still_told(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(forced_colors="active", reduced_motion="reduce")
    page = context.new_page()
    page.goto(address + "/matrix?run=2&rows=classes")
    square = page.get_by_role("link", name="F fail").first
    assert square.is_visible()
    ink, paper = square.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    )
    assert ink != paper
    box = page.get_by_role("combobox", name="Select")
    box.press_sequentially("model:mi")
    page.get_by_role("option", name="model:mixtral").wait_for()
    box.press("ArrowDown")
    chosen, other = (
        page.locator(f'[role=option][aria-selected="{each}"]').first.evaluate(
            "e => getComputedStyle(e).backgroundColor"
        )
        for each in ("true", "false")
    )
    assert chosen != other
    page.goto(address)
    page.locator(".plot canvas").wait_for()
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.locator(".legend").get_by_text("crash").is_visible()
    context.close()
