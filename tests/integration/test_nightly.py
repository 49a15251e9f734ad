"""`nightly` on toys: each night once, whatever starts it how often, and people told of it once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from runner.store import queue, reads
from runner.store.engine import Engine, ensure
from tests.conftest import ROOT, free_port, wait_for
from tests.unit.test_revisions_commits import FILES, git

ZOO = """
import time
from pathlib import Path

from tests.toyzoo import zoo
from tests.toyzoo.toys import Toy

try:
    from transformers.factor import FACTOR
except ModuleNotFoundError:
    FACTOR = 0  # the runner sees the installed Transformers


class Scaled(Toy):
    def run(self, x):
        (HERE / "began").touch()
        while (HERE / "wait").exists():
            time.sleep(0.05)
        return x * FACTOR
"""


@dataclass
class People:
    """Who is told: a webhook and a mail server, both real, on loopback."""

    slack: str = ""
    smtp: str = ""
    #: what the webhook answers, one after the other; then 200
    answers: list[int] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's)
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 OK"


@contextmanager
def _webhook(people: People) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = people.answers.pop(0) if people.answers else 200
            if status == 200:
                people.posts.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    people.slack = f"http://127.0.0.1:{server.server_port}/hook-secret"
    Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def people() -> Iterator[People]:
    made = People()
    port = free_port()
    mail = Controller(made, hostname="127.0.0.1", port=port)
    mail.start()
    made.smtp = f"smtp://127.0.0.1:{port}"
    with _webhook(made):
        yield made
    mail.stop()


@dataclass
class World:
    """A folder in which the command runs, beside a clone whose remote moves."""

    folder: Path
    people: People

    def start(self, *words: str) -> subprocess.Popen[str]:
        here = {
            "PYTHONPATH": f"{ROOT}:{self.folder}",
            "COLUMNS": "200",
            "EXPORT_MATRIX_SLACK_URL": self.people.slack,
            "EXPORT_MATRIX_SMTP_URL": self.people.smtp,
            "EXPORT_MATRIX_MAIL_TO": "a@example.org, b@example.org",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "runner.cli", *words],
            cwd=self.folder,
            env={**os.environ, **here},  # noqa: TID251  (handed on)
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def nightly(self, day: int, *more: str) -> subprocess.Popen[str]:
        cell = "toy/Scaled/forward-static/toy"
        axes = ["--backend", "toy", "--variant", "forward-static", "--zoo", "mine", "-n", "1"]
        where = ["--revision", "clone@origin/main", "--day", f"2026-11-{day}"]
        return self.start("nightly", cell, *axes, *where, *more)

    def night(self, day: int, *more: str) -> tuple[int, str, str]:
        begun = self.nightly(day, *more)
        out, err = begun.communicate(timeout=300)
        return begun.returncode, out, err

    def move(self, factor: int) -> str:
        """The remote's main branch moves; its new commit."""
        origin = self.folder / "origin"
        (origin / "src/transformers/factor.py").write_text(f"FACTOR = {factor}\n")
        git(origin, "add", ".")
        git(origin, "commit", "-q", "-m", f"factor {factor}")
        return git(origin, "rev-parse", "HEAD").strip()[:12]

    def engine(self) -> Engine:
        return ensure(f"sqlite:///{self.folder}/export-matrix.db")


@pytest.fixture
def world(tmp_path: Path, people: People) -> World:
    origin = tmp_path / "origin"
    for name, text in (FILES | {"setup.py": "install_requires = []\n"}).items():
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main", str(origin))
    made = World(folder=tmp_path, people=people)
    made.move(2)
    git(tmp_path, "clone", "-q", str(origin), "clone")
    (tmp_path / "mine.py").write_text(f"{ZOO}\nHERE = Path({str(tmp_path)!r})\n")
    return made


def test_two_nights_tell_what_the_second_lost_once_to_everybody(world: World) -> None:
    first = git(world.folder / "origin", "rev-parse", "HEAD").strip()[:12]
    code, out, err = world.night(24, "toy/Passes/forward-static/toy")
    assert code == 0, out + err
    assert "nothing is said of losses" in out
    second = world.move(5)
    code, out, err = world.night(25)
    assert code == 0, out + err
    assert "❌ 1 export lost" in out
    assert [post["text"].splitlines()[0] for post in world.people.posts] == [
        f"*here · {first}: no earlier complete run to compare with: nothing is said of losses*",
        f"*here · {second}: ❌ 1 export lost*",
    ]
    letter = message_from_bytes(world.people.mails[1], policy=default)
    assert letter["To"] == "a@example.org, b@example.org"
    assert "1 regressed" in letter.get_body(("plain",)).get_content()
    assert "<h1>❌ 1 export lost</h1>" in letter.get_body(("html",)).get_content()
    home = world.folder / f".export-matrix/nightly/nightly--here--2026-11-25--{second}"
    record = json.loads((home / "report.json").read_text())
    # the loss was executed again before it was told
    assert "confirmed-new" in [each["name"] for each in record["sections"]]
    # and what the night before ran beside is nothing that was removed
    assert "removed" not in [each["name"] for each in record["sections"]]
    assert "another selection" in record["notes"][0]
    # a third start changes nothing
    before = reads.run(world.engine(), "latest")
    assert world.night(25)[0] == 0
    assert reads.run(world.engine(), "latest") == before
    assert before.branch == "main"
    assert len(world.people.posts) == len(world.people.mails) == 2


def test_a_second_start_waits_and_finds_the_night_done(world: World) -> None:
    (world.folder / "wait").touch()
    one = world.nightly(25)
    assert wait_for((world.folder / "began").exists, 120)
    other = world.nightly(25)
    (world.folder / "wait").unlink()
    ends = [each.communicate(timeout=300) for each in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], ends
    assert len(reads.runs(world.engine())) == 1
    assert len(world.people.posts) == 1


def test_a_night_that_can_not_be_run_is_told_as_incomplete_and_the_others_go_on(
    world: World,
) -> None:
    broken = world.folder / "python"
    broken.write_text(
        f'#!/bin/sh\ncase "$*" in *runner.cli\\ run*) exit 9;; esac\nexec {sys.executable} "$@"\n'
    )
    broken.chmod(0o755)
    world.people.answers = [503]  # and then it works
    code, out, err = world.night(25, "--stack", f"next={broken}", "--stack", "here")
    assert code == 1, out + err
    assert [post["text"].splitlines()[0].split(": ", 1)[1] for post in world.people.posts] == [
        "⚠️ incomplete: nothing was run*",
        "no earlier complete run to compare with: nothing is said of losses*",
    ]
    assert "exit code 9" in world.people.posts[0]["text"]


def test_who_can_not_be_told_is_told_the_next_time(world: World) -> None:
    world.people.answers = [404]
    code, out, err = world.night(25)
    assert code == 1
    assert "could not be told: the Slack webhook answered 404" in err
    assert "hook-secret" not in out + err
    assert len(world.people.mails) == 1
    assert world.night(25)[0] == 0
    assert (len(world.people.posts), len(world.people.mails)) == (1, 1)


def test_a_night_that_is_queued_is_run_by_workers_and_a_second_start_joins_it(world: World) -> None:
    starts = [world.nightly(25, "--queue") for _ in range(2)]
    engine = world.engine()
    assert wait_for(lambda: [each.state for each in queue.all_work(engine)] == ["queued"], 240)
    other = world.start("work", "--until-idle", "--stack", "another")
    assert "0 pieces of work done" in other.communicate(timeout=300)[0]
    worker = world.start("work", "--until-idle", "-n", "1")
    out, err = worker.communicate(timeout=300)
    assert "1 pieces of work done" in out, err
    ends = [each.communicate(timeout=300) for each in starts]
    assert [each.returncode for each in starts] == [0, 0], ends
    assert len(reads.runs(engine)) == 1
    assert len(world.people.posts) == 1


def test_a_share_that_no_worker_could_run_is_told_as_lost(world: World) -> None:
    start = world.nightly(25, "--queue")
    engine = world.engine()
    assert wait_for(lambda: len(queue.all_work(engine)) == 1, 240)
    taken = queue.take(engine, "a machine that is taken away")
    assert taken is not None
    queue.end(engine, taken, state="failed", error="the machine is full")
    out, err = start.communicate(timeout=300)
    assert start.returncode == 1, err
    assert "share 1 of 1: 1 of 1 cells have no result" in out
    assert "the machine is full" in world.people.posts[0]["text"]
