"""The zygote: one warm process with one thread, that forks a child per request and sees it end.

    python -m harness.isolation.zygote LAUNCH      (started by `harness.isolation.host`)

It serves as many workers at once as connect, in the order in which they ask. A cell that is
expected to take more memory than those that run leave waits, its deadline too; one that is too
large for any company runs alone. The kernel kills it when the controller dies, and its
children when it dies; the guard sees to the rest. A child whose worker hangs up is killed: nobody
waits for its result. A zygote that has grown past its bound takes no more cells, and ends when its
last child has. One that stays cold imports nothing, and its children inherit nothing (`cold`).
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

from harness.errors import MatrixError
from harness.isolation import messages
from harness.isolation.child import Begin, Birth, inherit, live
from harness.isolation.cold import start_anew
from harness.isolation.endings import Cause
from harness.isolation.messages import Launch, Request
from harness.isolation.notice import Notice
from harness.isolation.processes import (
    adopt_orphans,
    children,
    kill_group,
    reap_orphans,
    resident_bytes,
    tie_to_parent,
)
from harness.isolation.running import Running
from harness.isolation.warming import warm_up
from harness.results import Result

_POLL_S = 0.05
_CONNECTION_TIMEOUT_S = 10.0


class Zygote:
    """The loop, and the children it watches."""

    def __init__(self, launch: Launch, begin: Begin, stack: dict[str, str]) -> None:
        self._begin = begin
        self._stack = stack
        self._cells = launch.path(messages.CELLS)
        self._listener = socket.socket(fileno=launch.listener)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._running: dict[int, Running] = {}
        # Cells that don't fit beside those that run, first come first served.
        self._waiting: list[tuple[Request, socket.socket]] = []
        self._memory_bytes = launch.memory_bytes
        # Helpers that a library started while warming up stay; later strangers are orphans.
        self._helpers = children(os.getpid())
        self._full_bytes = resident_bytes(os.getpid()) + launch.growth_bytes
        self._full = False
        self._notice = Notice(launch.notice)

    def serve(self) -> None:
        """Serve until this process is full, and empty of children."""
        while not self._full or self._running or self._waiting:
            for key, _ in self._selector.select(_POLL_S if self._running else None):
                if key.data is None:
                    self._accept()
                elif key.data.pid in self._running:
                    self._attend(key.data, key.fd)
            now = time.monotonic()
            for running in self._running.values():
                running.check(now)
            self._notice.tell(self._running.values(), now)
            if not self._full and resident_bytes(os.getpid()) > self._full_bytes:
                self._full = True
                self._selector.unregister(self._listener)

    def close(self) -> None:
        """Kill what runs, what it started, and the helpers."""
        for pid in self._running:
            kill_group(pid)
        reap_orphans([])

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_CONNECTION_TIMEOUT_S)
        try:
            request = Request.from_line(connection.makefile().readline())
        except (OSError, ValueError, KeyError, TypeError, MatrixError):
            connection.close()
            return
        self._waiting.append((request, connection))
        self._start_what_fits()

    def _start_what_fits(self) -> None:
        while self._waiting:
            request, connection = self._waiting[0]
            taken = sum(
                max(each.request.expected_bytes, each.peak) for each in self._running.values()
            )
            if self._running and taken + request.expected_bytes > self._memory_bytes:
                return
            del self._waiting[0]
            self._start(request, connection)

    def _start(self, request: Request, connection: socket.socket) -> None:
        pipe, child_pipe = os.pipe()
        stack = os.memfd_create("stack")
        parent = os.getpid()
        # A signal to end must not reach the child while it would still handle it as the zygote.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        started = time.monotonic()
        if not (pid := os.fork()):
            self._forget([pipe, connection.fileno()])
            birth = Birth(
                request=request, cells=self._cells, parent=parent, pipe=child_pipe, stack=stack
            )
            live(birth, self._begin)
        running = Running(
            request=request,
            connection=connection,
            pid=pid,
            pidfd=os.pidfd_open(pid),
            pipe=pipe,
            stack=stack,
            home=self._cells / str(pid),
            baseline=resident_bytes(pid),
            started=started,
        )
        self._running[pid] = running
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.close(child_pipe)
        os.set_blocking(pipe, False)
        running.watch(self._selector)

    def _forget(self, more: list[int]) -> None:
        """In the child: close what belongs to the zygote and to other children."""
        self._listener.close()
        self._selector.close()
        for descriptor in [each for one in self._running.values() for each in one.descriptors]:
            os.close(descriptor)
        for descriptor in [*more, *(asking.fileno() for _, asking in self._waiting)]:
            os.close(descriptor)

    def _attend(self, running: Running, descriptor: int) -> None:
        if descriptor == running.pidfd:
            self._finish(running)
        elif descriptor == running.pipe:
            if not running.listen():
                self._selector.unregister(running.pipe)
        elif running.cause is None:
            # A worker says nothing after its request: it has hung up.
            self._selector.unregister(running.connection)
            running.end(Cause.ABANDONED)

    def _finish(self, running: Running) -> None:
        for each in (running.pidfd, running.pipe, running.connection):
            with suppress(KeyError):
                self._selector.unregister(each)
        result = running.reap()
        del self._running[running.pid]
        reap_orphans([*self._helpers, *self._running])
        self._answer(running.connection, result)
        self._start_what_fits()

    def _answer(self, connection: socket.socket, result: Result) -> None:
        with suppress(OSError), connection:
            connection.sendall(f"{result.replace(stack=self._stack).to_line()}\n".encode())


def main(line: str) -> None:
    launch = Launch.from_line(line)
    signal.signal(signal.SIGTERM, _leave)
    try:
        _serve(launch)
    except MatrixError as error:
        launch.path(messages.FAILED).write_text(str(error))
        sys.exit(messages.HOPELESS)
    sys.exit(messages.GROWN)


def _serve(launch: Launch) -> None:
    from harness.stack import stack  # noqa: PLC0415  (asked once, after the revision is on the path)

    if not tie_to_parent(launch.parent, signal.SIGKILL):
        sys.exit(0)
    adopt_orphans()
    launch.path(messages.CELLS).mkdir(exist_ok=True)
    begin = partial(start_anew, launch) if launch.cold else _warm(launch)
    versions = dict(stack())
    _write_at_once(launch.path(messages.READY), json.dumps(versions))
    zygote = Zygote(launch, begin, versions)
    try:
        zygote.serve()
    finally:
        zygote.close()


def _warm(launch: Launch) -> Begin:
    warm = warm_up(launch.zoo, launch.backends, like=launch.like, shapes_file=launch.shapes)
    launch.path(messages.WARNINGS).write_text("".join(f"{line}\n" for line in warm.warnings))
    return partial(inherit, warm)


def _write_at_once(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
