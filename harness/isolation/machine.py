"""What this machine lets us have: cores and memory, by the kernel and by every cgroup we are in."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GIB = 1 << 30
# What runs besides the cells: the zygote, pytest and its workers, the runner.
_RESERVE_BYTES = _GIB
_ROOT = Path("/")


def cores(root: Path = _ROOT) -> int:
    """Cores that may be used at once; at least one."""
    quotas = [
        *(_quota(text.split()) for text in _files(root, "", "cpu.max")),
        *(_quota([text, _period(path)]) for path, text in _found(root, "cpu", "cpu.cfs_quota_us")),
    ]
    allowed = [int(quota) for quota in quotas if quota]
    return max(1, min([len(os.sched_getaffinity(0)), *allowed]))


def memory_bytes(root: Path = _ROOT) -> int:
    """Memory that all cells may take together: what is free, a cgroup's limit, less a reserve."""
    limits = [*_files(root, "", "memory.max"), *_files(root, "memory", "memory.limit_in_bytes")]
    free = [int(limit) for limit in limits if limit.isdecimal()]
    with suppress(OSError):
        lines = (root / "proc/meminfo").read_text().splitlines()
        free += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
    return max(0, min(free, default=0) * 9 // 10 - _RESERVE_BYTES)


def usual_workers(root: Path = _ROOT) -> int:
    """Cells at once: a core for each, and a GiB; what takes more waits until it fits."""
    return max(1, min(cores(root), memory_bytes(root) // _GIB))


def _files(root: Path, controller: str, name: str) -> Iterator[str]:
    return (text for _, text in _found(root, controller, name))


def _found(root: Path, controller: str, name: str) -> Iterator[tuple[Path, str]]:
    """A file of each cgroup that we are in and of those around it: one tree, or one a controller.

    In a container the path may be the host's, and what is mounted is our own: the top is ours then.
    """
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, place = line.split(":", 2)
            if controller not in controllers.split(","):
                continue
            top = root / "sys/fs/cgroup" / controller
            inside = Path(place.lstrip("/"))
            for each in (inside, *inside.parents):
                with suppress(OSError):
                    yield top / each, (top / each / name).read_text().strip()


def _period(folder: Path) -> str:
    with suppress(OSError):
        return (folder / "cpu.cfs_period_us").read_text().strip()
    return ""


def _quota(spelled: list[str]) -> float | None:
    """Cores of a quota and its period, in microseconds; None without one."""
    if len(spelled) == 2 and all(part.isdecimal() for part in spelled):
        return max(1.0, int(spelled[0]) / int(spelled[1]))
    return None
