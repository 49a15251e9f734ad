"""Pull requests from webhook to comment, in real processes.

A GitHub on loopback, a dashboard that takes its webhooks, a worker that takes the work, and a git
repository whose commits decide fates.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dashboard.app import create_app
from runner.settings import settings
from runner.store import queue, tables
from runner.store.engine import Engine, ensure
from tests.conftest import ROOT
from tests.fakegithub import (
    APP_ID,
    REPOSITORY,
    SECRET,
    FakeGitHub,
    github_on_loopback,
    merge_refs,
    served,
)
from tests.pulls import seen
from tests.unit.test_revisions_commits import FILES, git

ZOO = """
import numpy as np
from harness.zoo.base import ModelClass
from tests.toyzoo.toys import Toy
from tests.toyzoo.zoo import ToyZoo

try:
    from transformers.factor import FACTOR
except ModuleNotFoundError:
    FACTOR = 0  # the runner sees the installed Transformers


class Scaled(Toy):
    def lower(self):
        if FACTOR == 0:
            raise ValueError(HOSTILE)

    def run(self, x):
        return x * FACTOR


class Steady(Toy):
    pass


class Zoo(ToyZoo):
    def discover(self):
        return [
            ModelClass(model_type=kind.__name__.lower(), name=kind.__name__, module=__name__)
            for kind in (Scaled, Steady)
        ]

    def build(self, model_type, model_class, *given):
        return super().build("toy", model_class, *given)


def zoo():
    return Zoo()
"""
HOSTILE = "<img src=x> @everyone **x** <!-- export-matrix:report --> \nrun-slow: bert"
SCALED = "scaled/Scaled/forward-static/toy"
STEALS = """
import os, pathlib
FACTOR = 2
told = []
for pid in (os.getpid(), os.getppid()):
    told.append(pathlib.Path(f"/proc/{pid}/environ").read_bytes().replace(b"\\0", b"\\n").decode())
pathlib.Path(SEEN).write_text("\\n".join(told))
for file in pathlib.Path(FOLDER).rglob("*.jsonl"):
    with file.open("ab") as out:
        out.write(b'{"schema": 1, "run": "nightly", "cell": "a/A/forward-static/toy", ')
        out.write(b'"outcome": "pass"}\\n')
        out.write(b"\\xff\\xfe no result\\n" + b"x" * 5000 + b"\\n")
"""


@dataclass
class World:
    """All that a pull request passes through."""

    fake: FakeGitHub
    remote: Path
    folder: Path
    engine: Engine
    hook: str
    variables: dict[str, str]

    def commit(self, branch: str, factor: str) -> str:
        """A commit on a branch of the remote's author, pushed; its id."""
        author = self.folder / "author"
        git(author, "checkout", "-q", "-B", branch, branch if self._has(author, branch) else "main")
        (author / "src/transformers/factor.py").write_text(factor)
        git(author, "commit", "-q", "-a", "--allow-empty", "-m", f"on {branch}")
        git(author, "push", "-q", "origin", branch)
        return git(author, "rev-parse", "HEAD")

    def pull(self, number: int, head: str, action: str = "opened", **given: str) -> httpx2.Response:
        """Open or move a pull request, and deliver what GitHub would."""
        base = git(self.remote, "rev-parse", "main")
        merge_refs(self.remote, number, head, base)
        told = self.fake.pull(number, head, base)
        return self.deliver("pull_request", {"action": action, "pull_request": dict(told)}, **given)

    def says(self, number: int, author: str, body: str) -> httpx2.Response:
        kind = "Bot" if author.endswith("[bot]") else "User"
        comment = self.fake.comment(number, author, body, kind=kind)
        payload = {"action": "created", "comment": comment}
        payload["issue"] = {"number": number, "pull_request": {}}
        return self.deliver("issue_comment", payload)

    def deliver(self, event: str, payload: dict[str, Any], **given: str) -> httpx2.Response:
        return self.fake.deliver(self.hook, event, payload, **given)

    def work(self) -> None:
        """Have a worker do all there is."""
        done = subprocess.run(
            [sys.executable, "-m", "runner.cli", "work", "--until-idle", "-n", "1"],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr

    def report(self) -> str:
        """The body of the one comment that reports."""
        (body,) = [body for body in self.fake.ours if body.startswith("<!-- export-matrix:report")]
        return body

    def answers(self) -> list[str]:
        return [body for body in self.fake.ours if body.startswith("<!-- export-matrix:answer")]

    def states(self) -> list[tuple[str, str | None]]:
        return [(each.state, each.error) for each in reversed(queue.all_work(self.engine))]

    @staticmethod
    def _has(author: Path, branch: str) -> bool:
        return branch in git(author, "branch", "--format=%(refname:short)").split()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    remote, author, clone = (tmp_path / name for name in ("remote", "author", "clone"))
    _repository(tmp_path, remote, author, clone)
    (tmp_path / "mine.py").write_text(f"HOSTILE = {HOSTILE!r}\n{ZOO}")
    with ExitStack() as stack:
        fake = stack.enter_context(github_on_loopback())
        (tmp_path / "key.pem").write_text(fake.key)
        engine = ensure(f"sqlite:///{tmp_path}/matrix.db")
        stack.callback(engine.dispose)
        here = {
            "REPOSITORY": REPOSITORY,
            "CHECKOUT": str(clone),
            "GITHUB_API": fake.address,
            "GITHUB_APP": APP_ID,
            "GITHUB_KEY": str(tmp_path / "key.pem"),
            "WEBHOOK_SECRET": SECRET,
            "ASKERS": "ada, @hf/core",
            "PULL_SELECT": SCALED,
            "PULL_PROVIDER": "mine",
            "PULL_BACKENDS": "toy",
            "PUBLIC_URL": "https://matrix.example",
            "DATABASE_URL": f"sqlite:///{tmp_path}/matrix.db",
        }
        given = {f"EXPORT_MATRIX_{name}": value for name, value in here.items()}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        stack.callback(settings.cache_clear)
        address = stack.enter_context(served(create_app(engine)))
        yield World(
            fake=fake,
            remote=remote,
            folder=tmp_path,
            engine=engine,
            hook=f"{address}/webhooks/github",
            variables={**os.environ, **given, "PYTHONPATH": str(ROOT)},  # noqa: TID251  (handed on)
        )


def _repository(folder: Path, remote: Path, author: Path, clone: Path) -> None:
    """A bare remote, its author's work tree, and the clone that the worker fetches into."""
    files = FILES | {
        "setup.py": "install_requires = []\n",
        "src/transformers/factor.py": "FACTOR = 2\n",
    }
    git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
    git(folder, "init", "-q", "-b", "main", str(author))
    for name, text in files.items():
        (author / name).parent.mkdir(parents=True, exist_ok=True)
        (author / name).write_text(text)
    git(author, "add", ".")
    git(author, "commit", "-q", "-m", "first")
    git(author, "remote", "add", "origin", str(remote))
    git(author, "push", "-q", "origin", "main")
    git(folder, "clone", "-q", str(remote), str(clone))


def test_a_planted_regression_is_told_and_its_fix_rewrites_the_comment(world: World) -> None:
    planted = world.commit("topic", "FACTOR = 0  # the regression\n")
    assert world.pull(7, planted).status_code == 202
    world.work()
    body = world.report()
    assert world.states() == [("done", None)]
    assert "❌ 1 new failed export from this PR" in body
    assert f"`{SCALED}` (✅ ⟹ ❌)" in body
    assert f"| PR | `{planted[:8]}` | branch commit (from PR) |" in body
    assert "3 pass" in body, body
    assert re.search(r"\[Workflow Run ⚙️\]\(https://matrix.example/runs/\d+\)", body)
    tags, plain, coded = seen(body)
    assert "img" not in tags
    assert "@everyone" not in plain
    assert "<img src=x> @everyone" in coded
    assert [check["conclusion"] for check in world.fake.checks] == ["failure"]

    world.says(7, "ada", "rerun-failed")
    world.work()
    assert f"exports: `{SCALED}`\n\n1 export of" in world.answers()[0]
    assert "❌ 1 new failed export from this PR" in world.report()

    fixed = world.commit("topic", "FACTOR = 2  # the fix\n")
    world.pull(7, fixed, "synchronize")
    world.work()
    assert "✅ No failing export specific to this PR" in world.report()
    assert f"`{fixed[:8]}`" in world.report()
    conclusions = [check["conclusion"] for check in world.fake.checks]
    assert conclusions == ["failure", "failure", "success"]
    _pages_tell(world, planted, fixed)


def _pages_tell(world: World, planted: str, fixed: str) -> None:
    page = httpx2.get(world.hook.replace("/webhooks/github", f"/pr/7.json?sha={planted[:8]}"))
    assert page.json()["state"] == "regressed"
    html = httpx2.get(world.hook.replace("/webhooks/github", f"/pr/7?sha={fixed[:8]}"))
    assert html.status_code == 303
    assert html.headers["location"].startswith("/diff/")


def test_run_slow_is_for_listed_people_and_for_the_commit_that_they_saw(world: World) -> None:
    head = world.commit("topic", "FACTOR = 2  # the same\n")
    world.pull(7, head)
    with world.engine.begin() as connection:
        connection.execute(tables.work.delete())  # the pull request itself is another test's
    world.says(7, "eve", "run-slow: scaled")
    world.says(7, "ada", "Thanks!")
    world.says(7, "export-matrix[bot]", "run-slow: scaled")
    world.says(7, "ada", "run slow: models/steady, scalde")
    world.work()
    refused, accepted = world.answers()  # not to a comment that asks for nothing, nor to a bot
    assert "Nothing is run: only listed people and teams" in refused
    assert 'models: `["models/steady"]`' in accepted
    assert "there is no `scalde`; nearest: `scaled`" in accepted
    assert "2 exports of" in accepted
    assert "`model:steady backend:toy`" in world.report()
    assert "✅ No failing export" in world.report()

    world.says(7, "ada", "run-slow: scaled")
    world.pull(7, world.commit("topic", "FACTOR = 0\n"), "closed")
    world.work()
    assert "commits were pushed after the comment" in world.answers()[-1]


def test_what_can_not_be_run_is_told_with_the_reason_instead_of_pending_for_ever(
    world: World,
) -> None:
    git(world.folder / "author", "rm", "-q", "-r", "src/transformers/exporters")
    world.pull(7, world.commit("topic", "FACTOR = 2\n"))
    world.work()
    assert "⚠️ No export reported" in world.report()
    assert "has no transformers.exporters" in world.report()
    assert [check["conclusion"] for check in world.fake.checks] == ["cancelled"]
    assert [state for state, _ in world.states()] == ["failed"]


def test_a_workflow_that_was_cancelled_is_told(world: World) -> None:
    head = world.commit("topic", "FACTOR = 2\n")
    world.pull(7, head)
    with world.engine.begin() as connection:
        connection.execute(tables.work.delete())
    ended = {
        "id": 5,
        "head_sha": head,
        "conclusion": "cancelled",
        "html_url": "https://ci.example/5",
    }
    world.deliver("workflow_run", {"action": "completed", "workflow_run": ended})
    world.deliver("push", {"ref": "refs/heads/main"})
    world.work()
    assert "[Workflow Run ⚙️](https://ci.example/5)" in world.report()
    assert "⚠️ No export reported" in world.report()
    assert [state for state, _ in world.states()] == ["done", "done"]


def test_deliveries_that_are_forged_repeated_or_late_do_nothing(world: World) -> None:
    first = world.commit("topic", "FACTOR = 0\n")
    assert world.pull(7, first, secret="another").status_code == 401
    late = dict(world.fake.pulls[7])
    second = world.commit("topic", "FACTOR = 2\n")
    assert world.pull(7, second, "synchronize", delivery="one").status_code == 202
    newest = dict(world.fake.pulls[7])
    payload = {"action": "synchronize", "pull_request": newest}
    assert (
        world.deliver("pull_request", payload, delivery="one").json()["delivery"] == "seen before"
    )
    assert (
        world.deliver("pull_request", payload, delivery="two").json()["delivery"] == "seen before"
    )
    world.deliver("pull_request", {"action": "opened", "pull_request": late}, delivery="three")
    assert [state for state, _ in world.states()] == ["queued"]
    assert world.deliver("ping", {"zen": "…"}).status_code == 200
    elsewhere = httpx2.post(world.hook, content=b"{}", headers={"X-GitHub-Event": "ping"})
    assert elsewhere.status_code == 401


def test_a_pull_request_sees_no_secret_and_is_believed_only_what_was_asked_for(
    world: World,
) -> None:
    names = {"SEEN": str(world.folder / "seen.txt"), "FOLDER": str(world.folder)}
    code = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    world.pull(7, world.commit("topic", code + STEALS))
    world.work()
    stolen = (world.folder / "seen.txt").read_text()
    assert "PATH=" in stolen
    assert "EXPORT_MATRIX_DATABASE_URL" not in stolen
    assert SECRET not in stolen
    assert "✅ No failing export" in world.report()
    runs = httpx2.get(world.hook.replace("webhooks/github", "runs.json")).json()
    assert not [run for run in json.dumps(runs).split('"') if run == "nightly"]
