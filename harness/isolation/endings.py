"""How a child ended → a result. Pure.

1. What the child said itself stands, if it said it about its own cell and in time.
2. A limit that we enforced explains the end, whatever signal came of it: `timeout`, `oom`.
3. Killed by the kernel for want of memory: `oom`.
4. Anything else is a `crash` with its signal or exit status; an attempt that ends without a result
   did not pass, however cleanly it exited.

An attempt that died keeps its last stage, the time spent in each, its Python stack and the end of
what it printed.
"""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.isolation.messages import Entered, Request
from harness.results import Outcome, Result

LOG_TAIL_LINES = 40
_LOG_TAIL_CHARACTERS = 8_000
_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in (?P<function>.+)')


class Cause(StrEnum):
    """Why we ended a child."""

    DEADLINE = "deadline"
    MEMORY = "memory"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """All that is known of a child that has ended."""

    request: Request
    started: float
    ended: float
    #: as `os.waitstatus_to_exitcode` gives it: negative for a signal
    exit_code: int
    peak_bytes: int
    cpu_s: float
    entered: Sequence[Entered] = ()
    said: Result | None = None
    cause: Cause | None = None
    #: the kernel killed for want of memory meanwhile
    kernel_oom: bool = False
    #: what faulthandler wrote, most recent call first
    stack_dump: str = ""
    log: str = ""


def conclude(ending: Ending) -> Result:
    """The result of an attempt that has ended, however it did."""
    if ending.said and ending.said.cell == ending.request.cell and ending.cause is None:
        return ending.said.replace(peak_rss_bytes=ending.peak_bytes, cpu_s=ending.cpu_s)
    outcome, reason = _why(ending)
    stage = ending.entered[-1].stage if ending.entered else None
    return Result(
        cell=ending.request.cell,
        attempt=ending.request.attempt,
        outcome=outcome,
        stage=stage,
        reason=reason,
        durations_s=durations(ending),
        peak_rss_bytes=ending.peak_bytes,
        cpu_s=ending.cpu_s,
        traceback=readable_stack(ending.stack_dump),
        log_tail=tail(ending.log),
        signal=_signal(ending.exit_code),
    )


def _why(ending: Ending) -> tuple[Outcome, str]:
    limits = ending.request.limits
    if ending.cause is Cause.DEADLINE:
        return Outcome.TIMEOUT, f"over the time limit of {limits.time_s:g} s"
    if ending.cause is Cause.MEMORY:
        return Outcome.OOM, (
            f"over the memory limit of {limits.memory_bytes >> 20} MiB"
            f" ({ending.peak_bytes >> 20} MiB)"
        )
    if ending.kernel_oom and ending.exit_code == -signal.SIGKILL:
        return Outcome.OOM, "killed by the kernel: the machine is out of memory"
    if ending.exit_code < 0:
        return Outcome.CRASH, f"killed by {_signal(ending.exit_code)}"
    return Outcome.CRASH, f"exited with {ending.exit_code}"


def _signal(exit_code: int) -> str | None:
    if exit_code >= 0:
        return None
    try:
        return signal.Signals(-exit_code).name
    except ValueError:  # a real-time signal has a number only
        return f"signal {-exit_code}"


def durations(ending: Ending) -> dict[str, float]:
    """Seconds in each stage; the last one ends with the attempt. A stage may be entered again."""
    ends = [entered.at for entered in ending.entered[1:]] + [ending.ended]
    spent: dict[str, float] = {}
    for entered, end in zip(ending.entered, ends, strict=False):
        spent[entered.stage] = spent.get(entered.stage, 0.0) + max(0.0, end - entered.at)
    return spent


def readable_stack(dump: str) -> str | None:
    """faulthandler's dump of the thread it is about, in the order and spelling of a traceback."""
    title = next((line for line in dump.splitlines() if line.startswith("Fatal Python")), None)
    frames = []
    for line in dump.partition("most recent call first")[2].splitlines()[1:]:
        if not (frame := _FRAME.fullmatch(line)):
            break
        frames.append('  File "{file}", line {line}, in {function}'.format(**frame.groupdict()))
    if not frames:
        return title
    last = [title] if title else []
    return "\n".join(["Traceback (most recent call last):", *reversed(frames), *last])


def tail(log: str) -> str | None:
    """The last lines of a log, if there are any."""
    text = "\n".join(log.rstrip().splitlines()[-LOG_TAIL_LINES:])
    return text[-_LOG_TAIL_CHARACTERS:] or None
