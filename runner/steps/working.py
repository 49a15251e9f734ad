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
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from harness.errors import GitHubError, MatrixError, NotifyError
from runner.store import queue
from runner.store.engine import Engine
from runner.store.queue import Work

_POLL_S = 2.0
_RETRY_S = 30.0
_log = logging.getLogger(__name__)

Handler = Callable[[Work], None]


def name_of_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def work(
    engine: Engine, handlers: Mapping[str, Handler], *, worker: str, until_idle: bool = False
) -> int:
    """Take work that there are handlers for, for ever or until there is none; how many pieces."""
    done = 0
    while True:
        taken = queue.take(engine, worker, kinds=tuple(handlers))
        if taken is not None:
            do(engine, handlers, taken)
            done += 1
        elif until_idle:
            return done
        else:
            time.sleep(_POLL_S)


@contextmanager
def working_beside(engine: Engine, handlers: Mapping[str, Handler]) -> Iterator[None]:
    """Take such work in a thread while the block goes on.

    Where nothing can be written, as in a snapshot, there is nothing to take either.
    """

    def go_on(ended: threading.Event) -> None:
        while not ended.wait(_POLL_S):
            try:
                if queue.waits(engine, tuple(handlers)):
                    work(engine, handlers, worker=name_of_worker(), until_idle=True)
            except SQLAlchemyError as error:
                _log.warning("the queue can't be read: %s", error)

    # What is being sent when the block ends is taken again by the next who asks.
    with _beside("work", go_on, patience_s=_POLL_S):
        yield


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
    except (GitHubError, NotifyError) as error:
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

    def renew(ended: threading.Event) -> None:
        while not ended.wait(queue.LEASE.total_seconds() / 4) and queue.renew(engine, taken):
            pass

    with _beside("lease", renew):
        yield


@contextmanager
def _beside(
    name: str, go_on: Callable[[threading.Event], None], *, patience_s: float | None = None
) -> Iterator[None]:
    """Do that in a thread until the block ends, which sets the event, and wait for the thread."""
    ended = threading.Event()
    thread = threading.Thread(target=go_on, args=[ended], name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=patience_s)
