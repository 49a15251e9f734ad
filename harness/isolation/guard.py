"""Nothing is left of a host, however it ends: kill -9 of the zygote, of the controller, of both.

    python -m harness.isolation.guard FOLDER      (started by `harness.isolation.host`)

- All that a host starts inherits a variable with the name of its private folder (`MARK`), into
  whatever session it moves and whoever adopts it. Clearing up is killing what carries it, then
  removing the folder. What a cell starts without its variables is found by descent alone, while the
  zygote lives.
- The guard is a process that does so when the controller is gone: it reads a pipe that nobody but
  the controller has open for writing.
- The controller holds a lock in the folder. A host that starts clears up every folder of its user
  whose lock is free: a guard was killed as well, or the machine stopped. A lock, unlike a process
  id, is nobody else's later, and means the same in another container on the same folder.
"""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.isolation.processes import kill_marked

MARK = "EXPORT_MATRIX_PRIVATE_FOLDER"
_PREFIX = "export-matrix-host-"
_OWNER = "owner"


def private_folder() -> tuple[Path, int]:
    """A new folder, and the lock on it: a descriptor, to be closed when all is cleared up."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        owner = folder / _OWNER
        lock = _locked(owner)
        if lock is not None and owner.exists():
            return folder, lock
        # Another host took it for an abandoned one, between the two lines above.
        if lock is not None:
            os.close(lock)


def _locked(owner: Path) -> int | None:
    """The file, locked; None if somebody else has it, or removed its folder.

    It is made if it isn't there: whoever made the folder, or was removing it, may have been killed.
    """
    with suppress(OSError):
        descriptor = os.open(owner, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor
    return None


def start_guard(folder: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A process that clears the folder up when its standard input ends, as it does with us."""
    return subprocess.Popen(  # noqa: S603  (our own command line, no shell)
        [sys.executable, "-P", "-m", "harness.isolation.guard", str(folder)],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # what is sent to the controller's group is not for the guard
    )


def clear(folder: Path) -> None:
    """Kill all that carries the folder's name, and remove it."""
    kill_marked(MARK, str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned() -> None:
    """Clear up what this user's hosts have left in the temporary folder, with nobody to own it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_ours(folder) and (lock := _locked(folder / _OWNER)) is not None:
            clear(folder)
            os.close(lock)


def _is_ours(folder: Path) -> bool:
    with suppress(OSError):
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return False


def main(folder: str) -> None:
    # A service manager that stops everything at once must leave this one for last.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clear(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1])
