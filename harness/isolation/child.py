"""What a child does: give up what is the zygote's, then attempt one cell.

It ends by `os._exit`, so nothing that the zygote registered at exit runs here.
"""

import faulthandler
import gc
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harness.backends import load_backend
from harness.errors import SelectionError
from harness.isolation.messages import Request, result_message, stage_message
from harness.isolation.processes import tie_to_parent
from harness.isolation.warming import Warm
from harness.results import Outcome, Result, Stage

#: ends a child that could not even say what happened
BROKEN = 70
STACK_SIGNAL = signal.SIGUSR1


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What a child gets from the zygote."""

    request: Request
    #: folder that holds the cells' folders; the child makes its own, named by its process id
    cells: Path
    parent: int
    #: where messages go
    pipe: int
    #: where faulthandler writes
    stack: int


#: what a child does first: it settles, and finds out what its attempt begins with
Begin = Callable[[Birth], Warm]


def live(birth: Birth, begin: Begin) -> NoReturn:
    """The whole life of a child, from what `begin` gives it."""
    try:
        _attempt(birth, begin(birth))
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  (whatever it is must not return into the zygote's loop)
        sys.excepthook(*sys.exc_info())
        if isinstance(error, Exception):  # a model's own were results already: this one is ours
            _say(birth.pipe, result_message(_ours(birth.request, error)))
        _flush()
        os._exit(BROKEN)


def inherit(warm: Warm, birth: Birth) -> Warm:
    """Begin as a fork of the warm zygote."""
    settle(birth)
    gc.disable()
    return warm


def settle(birth: Birth) -> None:
    """Become a process that can be limited and killed, in a folder of its own."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the zygote's, blocked over the fork
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    tell_stack(birth)
    if not tie_to_parent(birth.parent, signal.SIGKILL):
        os._exit(BROKEN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    _move_in(birth.cells / str(os.getpid()))


def tell_stack(birth: Birth) -> None:
    """Have faults, and a signal, answered with the Python stack."""
    faulthandler.enable(birth.stack, all_threads=False)
    faulthandler.register(STACK_SIGNAL, birth.stack, all_threads=False)


def _move_in(home: Path) -> None:
    """A folder of its own for the log, temporary files, and whatever a model writes."""
    home.mkdir()
    log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    scratch = home / "scratch"
    scratch.mkdir()
    os.chdir(scratch)
    tempfile.tempdir = str(scratch)
    os.environ["TMPDIR"] = str(scratch)  # noqa: TID251  (for programs that the cell starts)


def _attempt(birth: Birth, warm: Warm) -> None:
    from harness.attempt import attempt  # noqa: PLC0415  (imported warm, by the zygote)

    def enter(stage: Stage) -> None:
        _say(birth.pipe, stage_message(stage, time.monotonic()))

    cell = birth.request.cell
    try:
        backend = warm.backends.get(cell.backend) or load_backend(cell.backend)
    except SelectionError as error:
        result = Result(
            cell=cell, outcome=Outcome.ERROR, stage=Stage.BUILD, reason=" ".join(str(error).split())
        )
    else:
        result = attempt(cell, zoo=warm.zoo, backend=backend, enter=enter, shapes=warm.shapes)
    _flush()
    _say(birth.pipe, result_message(result.replace(attempt=birth.request.attempt)))


def _ours(request: Request, error: Exception) -> Result:
    return Result(
        cell=request.cell,
        attempt=request.attempt,
        outcome=Outcome.ERROR,
        reason=f"the harness broke: {type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
    )


def _say(pipe: int, message: bytes) -> None:
    while message:
        message = message[os.write(pipe, message) :]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
