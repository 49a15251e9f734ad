"""What a worker calls: one attempt, answered with a result whatever happens. Imports no torch."""

import socket
from pathlib import Path

from harness.errors import RecordError
from harness.isolation.messages import FAILED, SOCKET, Request
from harness.results import Outcome, Result

_STARTUP_S = 900.0
_ENDING_S = 60.0
# A cell may have to wait for memory, until large ones that run have ended.
_WAITING_S = 7200.0


def ask(folder: Path, request: Request) -> Result:
    """Have the zygote of that private folder attempt a cell, and wait for what came of it."""
    try:
        line = _exchange(folder / SOCKET, request)
        return Result.from_line(line) if line else _unanswered(folder, request, "zygote died")
    except TimeoutError:
        return _unanswered(folder, request, "zygote does not answer")
    except (OSError, RecordError) as error:
        return _unanswered(folder, request, f"zygote died ({error})")


def _exchange(address: Path, request: Request) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_STARTUP_S + _WAITING_S + request.limits.time_s + _ENDING_S)
        connection.connect(str(address))
        connection.sendall(f"{request.to_line()}\n".encode())
        with connection.makefile() as answer:
            return answer.readline()


def _unanswered(folder: Path, request: Request, reason: str) -> Result:
    """A `crash`, to be tried again; an `error` if there will never be a zygote."""
    failed = folder / FAILED
    outcome = Outcome.CRASH
    if failed.exists():
        outcome, reason = Outcome.ERROR, failed.read_text().strip()
    return Result(cell=request.cell, attempt=request.attempt, outcome=outcome, reason=reason)
