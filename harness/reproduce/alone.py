"""Runs a script in a process of its own that knows nothing of this project, and sees it end.

The process has the variables that any model code may see, no more; its folder is its own; it is
ended at its deadline or over its memory, with all that it started. What is added to it is one ear:
it says when `torch.export` has returned, which no line of a traceback does.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.isolation.endings import Cause
from harness.isolation.guard import MARK
from harness.isolation.host import handed_on
from harness.isolation.messages import Limits
from harness.isolation.processes import added_bytes, kill_group, kill_marked, tie_to_parent

_POLL_S = 0.1
_OUTPUT_CHARACTERS = 400_000
_EAR = """\
import os, runpy, sys
import torch
export = torch.export.export
def heard(*args, **kwargs):
    program = export(*args, **kwargs)
    open(sys.argv[2], "w").close()
    return program
torch.export.export = heard
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a script ended, and what it said."""

    #: negative for a signal
    exit_code: int
    seconds: float
    peak_bytes: int
    stdout: str
    stderr: str
    #: whether torch.export returned a program
    captured: bool
    #: why it was ended, if it was
    cause: Cause | None = None


def run_alone(text: str, *, revision_path: Path | None, limits: Limits) -> Ran:
    """Run the text of a script; `limits` are of the whole process."""
    with tempfile.TemporaryDirectory(prefix="export-matrix-alone-") as home:
        return _run(text, Path(home), revision_path, limits)


def _run(text: str, home: Path, revision_path: Path | None, limits: Limits) -> Ran:
    script, mark = home / "script.py", home / "captured"
    script.write_text(text)
    known = handed_on()
    known["PYTHONPATH"] = str(revision_path.resolve()) if revision_path else ""
    known |= {MARK: str(home), "TMPDIR": str(home)}
    started = time.monotonic()
    with (home / "stdout").open("wb") as out, (home / "stderr").open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  (isolated, with no secret to tell)
            [sys.executable, "-P", "-c", _EAR, str(script), str(mark)],
            cwd=home,
            env=known,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
            preexec_fn=partial(tie_to_parent, os.getpid(), signal.SIGKILL),  # noqa: PLW1509  (one thread)
        )
        try:
            peak, cause = _watched(process, started, limits)
        finally:
            kill_group(process.pid)
            process.wait()
            kill_marked(MARK, str(home))
    return Ran(
        exit_code=process.returncode,
        seconds=time.monotonic() - started,
        peak_bytes=peak,
        stdout=_said(home / "stdout"),
        stderr=_said(home / "stderr"),
        captured=mark.exists(),
        cause=cause,
    )


def _watched(
    process: "subprocess.Popen[bytes]", started: float, limits: Limits
) -> tuple[int, Cause | None]:
    peak = 0
    while process.poll() is None:
        peak = max(peak, added_bytes(process.pid, 0))
        if peak > limits.memory_bytes:
            return peak, Cause.MEMORY
        if time.monotonic() - started > limits.time_s:
            return peak, Cause.DEADLINE
        time.sleep(_POLL_S)
    return peak, None


def _said(path: Path) -> str:
    return path.read_text(errors="replace")[-_OUTPUT_CHARACTERS:]
