"""What a machine lets us have, read from copies of the kernel's files."""

import os
from pathlib import Path

import pytest

from harness.isolation.machine import cores, memory_bytes, usual_workers

GIB = 1 << 30


def _machine(root: Path, files: dict[str, str], *, available_gib: int = 64) -> Path:
    told = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {available_gib << 20} kB\n", **files}
    for name, text in told.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_a_cgroup_it_is_what_is_free_less_a_reserve(tmp_path: Path) -> None:
    root = _machine(tmp_path, {}, available_gib=20)
    assert memory_bytes(root) == 20 * GIB * 9 // 10 - GIB
    assert cores(root) == len(os.sched_getaffinity(0))


V2 = {
    "proc/self/cgroup": "0::/a/b\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "sys/fs/cgroup/a/memory.max": f"{8 * GIB}\n",
    "sys/fs/cgroup/a/b/memory.max": "max\n",
    "sys/fs/cgroup/a/b/cpu.max": "100000 100000\n",
}
V1 = {
    "proc/self/cgroup": "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{8 * GIB}\n",
    "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
}


@pytest.mark.parametrize("files", [V2, V1], ids=["v2", "v1"])
def test_a_limit_of_a_cgroup_or_of_one_around_it_counts(
    tmp_path: Path, files: dict[str, str]
) -> None:
    root = _machine(tmp_path, files)
    assert memory_bytes(root) == 8 * GIB * 9 // 10 - GIB
    assert cores(root) == 1


@pytest.mark.parametrize("quota", ["max 100000", "-1 100000", "nonsense"])
def test_a_cgroup_without_a_quota_leaves_all_cores(tmp_path: Path, quota: str) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota}
    assert cores(_machine(tmp_path, files)) == len(os.sched_getaffinity(0))


def test_there_is_a_worker_on_the_smallest_machine(tmp_path: Path) -> None:
    assert usual_workers(_machine(tmp_path, {}, available_gib=1)) == 1
    assert memory_bytes(tmp_path) == 0
