"""What Linux knows of processes, read from /proc: memory, children, and ties between them."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
# What is stuck in the kernel dies when the kernel lets go of it: nobody waits for that.
_PATIENCE_S = 10.0
# Loaded before any fork: a child that is about to be tied to its parent should not import.
_libc = ctypes.CDLL(None, use_errno=True)


def tie_to_parent(parent: int, sig: signal.Signals) -> bool:
    """Have the kernel send `sig` here when the parent dies; False if it is dead already."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(sig), 0, 0, 0)
    return os.getppid() == parent


def hide() -> None:
    """Keep other processes of this user from our variables and memory; root is not kept out."""
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent died, wherever they hid."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def resident_bytes(pid: int) -> int:
    """Resident memory of one process; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def children(pid: int) -> list[int]:
    """Direct children, of all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    waiting = [pid]
    while waiting:
        yield (each := waiting.pop())
        waiting += children(each)


def added_bytes(pid: int, baseline: int) -> int:
    """Resident memory of a process and its descendants over `baseline`, which each began with."""
    return sum(max(0, resident_bytes(each) - baseline) for each in family(pid))


def kernel_oom_kills() -> int:
    """How often the kernel has killed for want of memory since boot."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/vmstat").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("oom_kill ")).split()[1])
    return 0


def kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_marked(name: str, value: str) -> None:
    """Kill every process that was given this variable, until none is left.

    The oldest first: who waits for another would tell of its end as if it had died by itself.
    """
    mark = f"{name}={value}".encode()
    until = time.monotonic() + _PATIENCE_S
    # What one of them starts meanwhile carries it too, so look again until there is none.
    while sum(_kill_if_marked(pid, mark) for pid in _all()) and time.monotonic() < until:
        time.sleep(0.01)


def _all() -> list[int]:
    """Every process, the oldest first: ids may have begun anew."""
    found = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return sorted(found, key=_started)


def _started(pid: int) -> int:
    """When a process was started, in ticks since boot; 0 if it is gone."""
    with suppress(OSError, IndexError):
        # The name, in brackets before the numbers, may have any character.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return 0


def _kill_if_marked(pid: int, mark: bytes) -> bool:
    """Whether it had to be killed; another user's processes can't be read, and are not ours."""
    with suppress(OSError):
        process = os.pidfd_open(pid)  # before looking: the id may be somebody else's a moment later
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                signal.pidfd_send_signal(process, signal.SIGKILL)
                return True
        finally:
            os.close(process)
    return False


def reap_orphans(ours: Iterable[int]) -> None:
    """Kill and reap every child of this process that is not one of `ours`."""
    keep = set(ours)
    # What an orphan leaves behind is adopted in turn, so look again until none is left.
    while orphans := [pid for pid in children(os.getpid()) if pid not in keep]:
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
