"""Hostile content in a real browser: nothing of it is executed, loaded, asked or gone to."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from dashboard.app import create_app
from runner.store import reads
from runner.store.engine import Engine, ensure
from tests.fakegithub import served
from tests.hostile import CELL, MARK, store
from tests.seed import seed


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('hostile')}/seed.db")
    seed(engine)
    yield engine
    engine.dispose()


def _addresses(engine: Engine) -> list[str]:
    found = ["/", "/runs", "/triage", "/fleet", "/detector", "/access", "/flaky", "/known"]
    for each in store(engine):
        before, after, going = (
            reads.run(engine, name).id for name in (each.before, each.after, each.open)
        )
        found += [f"/runs/{after}", f"/runs/{going}?hold=true", f"/runs/{after}/report"]
        found += [f"/diff/{before}/{after}", f"/pr/{each.pull.number}", f"/groups?run={after}"]
        found += [
            f"/cells/{CELL.id}?run={after}",
            f"/matrix?run={after}",
            f"/models/bert?run={after}",
        ]
        found += [f"/groups/{group.signature}" for group in reads.groups(engine, after)]
    return found


def _watched(page: Page, here: str) -> list[str]:
    """What a page does that none should."""
    told: list[str] = []
    page.add_init_script(
        f"""window.{MARK} = () => console.error('executed');
        addEventListener('securitypolicyviolation',
            (found) => console.error('CSP', found.violatedDirective));"""
    )
    page.on("console", lambda said: said.type == "error" and told.append(said.text))
    page.on("pageerror", lambda error: told.append(str(error)))

    def dialog(found: object) -> None:
        told.append(f"dialog {found}")

    page.on("dialog", dialog)
    page.on(
        "request",
        lambda asked: urlsplit(asked.url).netloc != here and told.append(f"asks {asked.url}"),
    )
    return told


def test_hostile_pages_execute_nothing_and_ask_nobody_else(
    hostile: Engine, browser: Browser
) -> None:
    addresses = _addresses(hostile)
    page = browser.new_page()
    with served(create_app(hostile)) as address:
        told = _watched(page, urlsplit(address).netloc)
        seen = 0
        for each in addresses:
            page.goto(address + each)
            assert page.url == address + each
            seen += MARK in page.content()
            assert told == [], each
    page.close()
    assert seen > len(addresses) / 2


def test_what_is_executed_would_be_seen(browser: Browser) -> None:
    page = browser.new_page()
    told = _watched(page, "127.0.0.1")
    page.goto("data:text/html,<p>")
    page.set_content(f"<img src=x onerror={MARK}()><script>{MARK}()</script>")
    page.wait_for_timeout(100)
    assert "executed" in told
    page.close()
