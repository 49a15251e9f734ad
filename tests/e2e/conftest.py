"""A real browser, and a dashboard over the seed for it to look at."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from dashboard.app import create_app
from runner.core.triage import Edit
from runner.steps.triaging import edit
from runner.store import reads
from runner.store.engine import Engine, ensure
from runner.store.pulls import PullRuns, note_runs
from tests.fakegithub import REPOSITORY, served
from tests.pulls import COMMITS, FACTS
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The seed, with a group that somebody has triaged and a pull request."""
    engine = ensure(f"sqlite:///{tmp_path_factory.mktemp('browser')}/seed.db")
    before, after, _ = seed(engine)
    group = reads.groups(engine, after.id)[0].signature
    said = Edit(state="upstream", issue="o/r#1", note="*only* here\n\n- `llama`", assignee="ada")
    edit(engine, {group: 0}, said, who="ada")
    note_runs(
        engine,
        PullRuns(
            repository=REPOSITORY,
            number=FACTS.number,
            commits=COMMITS,
            baseline_run=before.uid,
            head_run=after.uid,
        ),
    )
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def address(seeded: Engine) -> Iterator[str]:
    """A dashboard over the seed, on a free port."""
    with served(create_app(seeded)) as found:
        yield found
