"""A worker: takes queued work, does it, and keeps it while it does.

What fails for a reason that passes (GitHub is down, the machine is full) is put back, and told as
failed after some tries. What can't succeed is ended with its reason. A worker that dies is followed
by the next who asks: all steps can be repeated.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from harness.errors import GitHubError, MatrixError
from runner.bot.pulls import read_pull
from runner.core.pull.events import Kind, Pull
from runner.core.pull.permitting import Allowed
from runner.revisions.pulls import fetch_branch
from runner.steps.answering import answer_and_queue
from runner.steps.pulls import run_pull, suggest, tell_nothing
from runner.steps.scoping import Bench, chosen, prepared
from runner.store import queue
from runner.store.engine import Engine
from runner.store.pulls import pulls_at
from runner.store.queue import Work

_POLL_S = 2.0
_RETRY_S = 30.0
CANCELLED = ("cancelled", "skipped", "startup_failure", "stale")
_log = logging.getLogger(__name__)

Handler = Callable[[Work], None]


def name_of_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def work(
    engine: Engine, handlers: Mapping[str, Handler], *, worker: str, until_idle: bool = False
) -> int:
    """Take work and do it, for ever or until there is none; how many pieces were done."""
    done = 0
    while True:
        taken = queue.take(engine, worker)
        if taken is not None:
            do(engine, handlers, taken)
            done += 1
        elif until_idle:
            return done
        else:
            time.sleep(_POLL_S)


def do(engine: Engine, handlers: Mapping[str, Handler], taken: Work) -> None:
    """Do one piece of work, and end it or put it back."""
    handler = handlers.get(taken.kind)
    if handler is None:
        queue.end(engine, taken, state="failed", error=f"nobody does work of kind {taken.kind!r}")
        return
    try:
        with _kept(engine, taken):
            handler(taken)
    except KeyboardInterrupt:
        queue.put_back(engine, taken, after=timedelta(0), error="interrupted")
        raise
    except GitHubError as error:
        _later(engine, taken, error, error.later_s)
    except MatrixError as error:
        queue.end(engine, taken, state="failed", error=str(error))
    except Exception as error:  # noqa: BLE001  (one piece of work must not end the worker)
        _log.exception("work %s", taken.id)
        _later(engine, taken, error, _RETRY_S)
    else:
        queue.end(engine, taken)


def _later(engine: Engine, taken: Work, error: Exception, seconds: float | None) -> None:
    told = f"{type(error).__name__}: {error}"
    if seconds is None:
        queue.end(engine, taken, state="failed", error=told)
    else:
        wait = timedelta(seconds=max(seconds, _RETRY_S * 2 ** (taken.tries - 1)))
        queue.put_back(engine, taken, after=wait, error=told)


@contextmanager
def _kept(engine: Engine, taken: Work) -> Iterator[None]:
    """Renew the lease while the block goes on."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(queue.LEASE.total_seconds() / 4) and queue.renew(engine, taken):
            pass

    keeper = threading.Thread(target=renew, name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def bot_handlers(bench: Bench, allowed: Allowed) -> dict[str, Handler]:
    """What is done for GitHub's events."""
    return {
        Kind.PULL: lambda taken: _pull(bench, taken),
        Kind.COMMENT: lambda taken: answer_and_queue(bench, taken, allowed),
        Kind.PUSH: lambda taken: _push(bench, taken),
        Kind.WORKFLOW: lambda taken: _workflow(bench, taken),
    }


def _pull(bench: Bench, taken: Work) -> None:
    """Run a pull request as it is now; for a command only the commit that it was given for."""
    number, meant = int(taken.payload["number"]), taken.payload.get("head")
    pull = read_pull(bench.github, number)
    if not pull.open or (meant and pull.head != meant):
        return
    try:
        _run(bench, pull, taken.payload)
    except GitHubError:
        raise
    except MatrixError as error:
        tell_nothing(bench, pull, why=str(error))
        raise


def _run(bench: Bench, pull: Pull, payload: Mapping[str, Any]) -> None:
    ready = prepared(bench, pull)
    words = payload.get("words") or ()
    if not words:
        suggest(bench, ready)
    run_pull(bench, ready, chosen(bench, ready, words), fresh=str(payload.get("fresh") or ""))


def _push(bench: Bench, taken: Work) -> None:
    """Have the branch here before a pull request needs it."""
    branch = str(taken.payload["ref"]).removeprefix("refs/heads/")
    if branch != taken.payload["ref"]:
        fetch_branch(bench.checkout, branch)


def _workflow(bench: Bench, taken: Work) -> None:
    """Jobs that were skipped or cancelled are told as such, where nothing else was told."""
    if taken.payload["conclusion"] not in CANCELLED:
        return
    head = str(taken.payload["head"])
    for number in pulls_at(bench.engine, bench.github.repository, head):
        pull = read_pull(bench.github, number)
        if pull.open and pull.head == head:
            tell_nothing(replace(bench, workflow=str(taken.payload["url"])), pull)
