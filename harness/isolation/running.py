"""A child that runs, as the zygote sees it: what it said, what it takes, when it must end.

The deadline counts from the fork. Past it the child is asked for its Python stack by a signal whose
handler is in C, which answers even while a call holds the GIL, and is killed a moment later.
"""

import os
import selectors
import shutil
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.isolation.child import STACK_SIGNAL
from harness.isolation.endings import Cause, Ending, conclude
from harness.isolation.messages import Entered, Request, read_message
from harness.isolation.processes import added_bytes, kernel_oom_kills, kill_group
from harness.results import Result

_STACK_GRACE_S = 0.2
_LOG_LIMIT_BYTES = 64 << 20
_READ_BYTES = 1 << 16


@dataclass(slots=True, kw_only=True)
class Running:
    """One child, and the worker that waits for it."""

    request: Request
    connection: socket.socket
    pid: int
    pidfd: int
    pipe: int
    #: file in memory that faulthandler writes to
    stack: int
    #: the child's own folder
    home: Path
    baseline: int
    started: float
    oom_kills: int = field(default_factory=kernel_oom_kills)
    peak: int = 0
    entered: list[Entered] = field(default_factory=list)
    said: Result | None = None
    cause: Cause | None = None
    kill_at: float | None = None
    _unread: bytes = b""

    @property
    def descriptors(self) -> Sequence[int]:
        return (self.pidfd, self.pipe, self.stack, self.connection.fileno())

    def watch(self, selector: selectors.BaseSelector) -> None:
        for each in (self.pidfd, self.pipe, self.connection):
            selector.register(each, selectors.EVENT_READ, self)

    def listen(self) -> bool:
        """Read what the child has said; False once there is nothing more to read for now."""
        try:
            data = os.read(self.pipe, _READ_BYTES)
        except BlockingIOError:
            return False
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._hear(line)
        return bool(data)

    def _hear(self, line: bytes) -> None:
        match read_message(line):
            case Entered() as entered:
                self.entered.append(entered)
            case Result() as result:
                self.said = self.said or result
            case None:
                pass  # what untrusted code wrote into our pipe

    def check(self, now: float) -> None:
        """Measure, and end the child if it is over a limit."""
        self.peak = max(self.peak, added_bytes(self.pid, self.baseline))
        self._keep_log_small()
        if self.kill_at is not None:
            if now >= self.kill_at:
                kill_group(self.pid)
        elif self.said is None and self.peak > self.request.limits.memory_bytes:
            self.end(Cause.MEMORY)
        elif self.said is None and now - self.started >= self.request.limits.time_s:
            self.cause = Cause.DEADLINE
            self.kill_at = now + _STACK_GRACE_S
            with suppress(ProcessLookupError):
                os.kill(self.pid, STACK_SIGNAL)

    def end(self, cause: Cause) -> None:
        self.cause, self.kill_at = cause, time.monotonic()
        kill_group(self.pid)

    def reap(self) -> Result:
        """What came of a child that has ended; its group, files and descriptors are gone after."""
        # Before the wait: until then the process id, and so the group, can be nobody else's.
        kill_group(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        while self.listen():
            pass
        ending = Ending(
            request=self.request,
            started=self.started,
            ended=time.monotonic(),
            exit_code=os.waitstatus_to_exitcode(status),
            # The kernel's own high-water mark sees a peak between two looks of ours.
            peak_bytes=max(self.peak, usage.ru_maxrss * 1024 - self.baseline, 0),
            cpu_s=usage.ru_utime + usage.ru_stime,
            entered=tuple(self.entered),
            said=self.said,
            cause=self.cause,
            kernel_oom=kernel_oom_kills() > self.oom_kills,
            stack_dump=_text(self.stack),
            log=_read(self.home / "log"),
        )
        self._clear()
        return conclude(ending)

    def _clear(self) -> None:
        for each in (self.pidfd, self.pipe, self.stack):
            os.close(each)
        shutil.rmtree(self.home, ignore_errors=True)

    def _keep_log_small(self) -> None:
        log = self.home / "log"
        with suppress(OSError):
            if log.stat().st_size > _LOG_LIMIT_BYTES:
                os.truncate(log, 0)


def _text(descriptor: int) -> str:
    return os.pread(descriptor, _READ_BYTES, 0).decode(errors="replace")


def _read(path: Path) -> str:
    """The last part of a file that may not be there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
