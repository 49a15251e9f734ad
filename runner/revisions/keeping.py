"""Keeps few unpacked revisions: the ones used last, and whatever a process still uses.

Who uses a revision holds a shared lock beside it until the process ends, however it ends; what is
locked is never removed. The empty lock files stay: to remove one would race with who opens it.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from harness.errors import RevisionError

#: commits, and as many releases; a hundred MB each
_KEPT = 20
# A draft that is older was left by a process that was killed.
_DRAFT_S = 86_400
_in_use: dict[Path, TextIO] = {}


def use(home: Path) -> None:
    """Have the revision of that folder, there or not yet, stay until this process ends."""
    lock = _lock(home)
    if lock not in _in_use:
        lock.parent.mkdir(parents=True, exist_ok=True)
        _in_use[lock] = lock.open("a")
        fcntl.flock(_in_use[lock], fcntl.LOCK_SH)
    os.utime(lock)


def use_again(path: Path, name: str) -> None:
    """Have a revision stay that was resolved earlier; `RevisionError` if it is gone."""
    for home in (path, path.parent):
        if _lock(home).exists():
            use(home)
    if not path.is_dir():
        raise RevisionError(
            f"{path} is gone, which this run needs; unpack it with: export-matrix cases "
            f"--revision {name if '.' in name else f'path/to/transformers@{name}'}"
        )


def spare(folder: Path, *, kept: int = _KEPT) -> None:
    """Remove the revisions of a folder that were not used for the longest, beyond `kept`."""
    locks = sorted(folder.glob("*.lock"), key=lambda lock: -lock.stat().st_mtime_ns)
    there = [lock for lock in locks if lock.with_suffix("").is_dir()]
    for lock in there[kept:]:
        with _alone(lock) as alone:
            if alone:
                _remove(lock.with_suffix(""))
    for draft in folder.glob("draft-*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _DRAFT_S:
                shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Whether nobody uses what the lock stands for, nor can while this lasts."""
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _remove(home: Path) -> None:
    """First out of sight: half a revision is never seen."""
    with tempfile.TemporaryDirectory(
        dir=home.parent, prefix="draft-", ignore_cleanup_errors=True
    ) as draft:
        home.rename(Path(draft) / "old")


def _lock(home: Path) -> Path:
    """`5.22.2.lock`, whose `with_suffix("")` is the folder again."""
    return (home.parent / f"{home.name}.lock").absolute()
