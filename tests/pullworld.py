"""All that a pull request passes through: a GitHub on loopback, a dashboard that takes its
webhooks, a worker, and a git repository whose commits decide fates.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dashboard.app import create_app
from runner.settings import settings
from runner.store import queue
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


@contextmanager
def pull_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One in that folder, until the block ends; the settings are its own."""
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
    git(remote, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub does
    git(folder, "init", "-q", "-b", "main", str(author))
    for name, text in files.items():
        (author / name).parent.mkdir(parents=True, exist_ok=True)
        (author / name).write_text(text)
    git(author, "add", ".")
    git(author, "commit", "-q", "-m", "first")
    git(author, "remote", "add", "origin", str(remote))
    git(author, "push", "-q", "origin", "main")
    git(folder, "clone", "-q", str(remote), str(clone))
