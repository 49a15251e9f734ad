"""Starts the zygote of this host, replaces it when it dies, and clears up after it.

- The listening socket is made here and survives a zygote, so a worker that asks meanwhile just
  waits. Cells that were in flight are told as crashes by `client`.
- A zygote whose memory has grown past its bound ends by itself once it has no cell in flight, and
  is replaced: nobody but the next worker in the queue notices.
- A zygote that dies again and again before it is ready, or says that it is hopeless, is given up:
  the socket is closed, and every cell is told why.
- The zygote sees an allow-listed set of variables: model code gets no token and no database.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harness.isolation import messages
from harness.isolation.endings import tail
from harness.isolation.guard import MARK, clear, clear_abandoned, private_folder, start_guard
from harness.isolation.messages import GROWN, GROWTH_BYTES, HOPELESS, Launch
from harness.isolation.processes import kill_marked

_STARTS = 3
_STOP_S = 10.0
_ALLOWED = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
_ALLOWED_PREFIXES = ("LC_", "OMP_", "MKL_", "HF_", "TORCH", "TRANSFORMERS_")
_FORCED = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a zygote should be warm for."""

    zoo: str
    backends: Sequence[str]
    #: folder that holds the revision's `transformers`; None for the installed one
    revision_path: Path | None = None
    #: zoo whose case warms it up, where its own cases are not for that
    like: str | None = None
    #: file of dynamic shapes that a user gives
    shapes: Path | None = None
    #: resident memory that a zygote may add to what it had when it was warm
    growth_bytes: int = GROWTH_BYTES
    #: memory that all cells may take together
    memory_bytes: int
    #: a cell gets a process of its own, in which nothing is warm
    cold: bool = False
    #: file that tells which cells run
    notice: Path | None = None


def allowed(given: Mapping[str, str], *more: str) -> dict[str, str]:
    """What of `given` is no secret: what is listed, and what begins with one of `more`."""
    prefixes = (*_ALLOWED_PREFIXES, *more)
    return {
        name: value
        for name, value in given.items()
        if (name in _ALLOWED or name.startswith(prefixes)) and "TOKEN" not in name
    }


def variables(given: Mapping[str, str], revision_path: Path | None) -> dict[str, str]:
    """What of `given` model code may see, with the revision first on its path."""
    kept = allowed(given)
    path = [str(revision_path.resolve())] if revision_path else []
    path += [str(Path(each).resolve()) for each in kept.get("PYTHONPATH", "").split(":") if each]
    return {**kept, **_FORCED, "PYTHONPATH": ":".join([*path, str(Path.cwd())])}


def handed_on(revision_path: Path | None = None) -> dict[str, str]:
    """What of this process's own variables model code may see."""
    return variables(os.environ, revision_path)  # noqa: TID251  (handed on)


class Host:
    """The zygote of this host, for as long as the controller lives."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._variables = handed_on(wanted.revision_path)
        clear_abandoned()
        self.folder, self._lock = private_folder()
        self._guard = start_guard(self.folder, self._variables)
        self._replaced = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / messages.SOCKET))
        self._listener.listen(512)
        self._closing = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # The zygote is tied to the thread that starts it: this one, which outlives every zygote.
        self._keeper = threading.Thread(target=self._keep, name="zygote-keeper", daemon=True)
        self._keeper.start()

    def stack(self) -> dict[str, str]:
        """The stack that the zygote found; empty until it is ready."""
        try:
            return cast(dict[str, str], json.loads((self.folder / messages.READY).read_text()))
        except OSError:
            return {}

    def warnings(self) -> list[str]:
        """What the zygote could not warm up, and whether it had to be replaced."""
        grown = f"replaced {self._replaced} times: its memory grew past the bound"
        found = _read(self.folder / messages.WARNINGS).splitlines()
        return [*found, grown] if self._replaced else found

    def close(self) -> None:
        """End the zygote and all it started; nothing is left."""
        self._closing.set()
        if self._process:
            self._process.send_signal(signal.SIGTERM)
        self._keeper.join(_STOP_S)
        if self._process and self._keeper.is_alive():
            self._process.kill()
            self._keeper.join()
        self._listener.close()
        clear(self.folder)
        self._guard.communicate()
        os.close(self._lock)

    def _keep(self) -> None:
        failures = 0
        while not self._closing.is_set() and failures < _STARTS:
            (self.folder / messages.READY).unlink(missing_ok=True)
            status = self._run_zygote()
            self._clear_up()
            failures = 0 if (self.folder / messages.READY).exists() else failures + 1
            self._replaced += status == GROWN
            if status == HOPELESS:
                break
        if not self._closing.is_set():
            self._give_up()

    def _run_zygote(self) -> int:
        launch = Launch(
            zoo=self._wanted.zoo,
            like=self._wanted.like,
            backends=list(self._wanted.backends),
            folder=str(self.folder),
            listener=self._listener.fileno(),
            parent=os.getpid(),
            shapes=str(self._wanted.shapes.resolve()) if self._wanted.shapes else None,
            growth_bytes=self._wanted.growth_bytes,
            memory_bytes=self._wanted.memory_bytes,
            cold=self._wanted.cold,
            notice=str(self._wanted.notice.resolve()) if self._wanted.notice else None,
        )
        command = [sys.executable, "-P", "-m", "harness.isolation.zygote", launch.to_line()]
        with (self.folder / messages.LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own command line, no shell)
                command,
                env={**self._variables, MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[launch.listener],
                start_new_session=True,  # a terminal's Ctrl-C is for the controller
            )
        if self._closing.is_set():  # closed while this one was being started
            self._process.kill()
        return self._process.wait()

    def _clear_up(self) -> None:
        """Kill what a zygote that died left, wherever it is, and remove the cells' folders."""
        kill_marked(MARK, str(self.folder))
        shutil.rmtree(self.folder / messages.CELLS, ignore_errors=True)

    def _give_up(self) -> None:
        failed = self.folder / messages.FAILED
        if not failed.exists():
            log = tail(_read(self.folder / messages.LOG)) or "it printed nothing"
            failed.write_text(f"the zygote can't start: {log.splitlines()[-1]}")
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
