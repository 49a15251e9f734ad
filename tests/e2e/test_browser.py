"""The pages in a real browser: no errors, no sideways scrolling, no need for scripts."""

import shutil
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from dashboard.app import create_app
from runner.store.engine import ensure
from tests.seed import seed

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = [
    "/",
    "/runs",
    "/runs/2",
    "/diff",
    "/diff/1/2",
    "/groups?run=2",
    "/flaky",
    "/cells/mamba/MambaModel/forward-static/onnx?run=2",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard over the seed, on a free port."""
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('browser')}/seed.db")
    seed(engine)
    server = uvicorn.Server(uvicorn.Config(create_app(engine), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pages_fit_the_screen_and_report_no_error(
    address: str, browser: Browser, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=True,
    )
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    wide = []
    for path in PAGES:
        page.goto(address + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    context.close()
    assert told == []
    assert wide == []


def test_a_reader_without_scripts_gets_from_the_overview_to_a_traceback(
    address: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="Failure groups").click()
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
