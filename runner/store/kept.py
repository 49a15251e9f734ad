"""Keeps what was read of runs that have ended, for those who read the same again and again.

Only an engine that was asked to (`keeping`) keeps anything. What is kept is bounded, and is read
anew after a while, for `resign` and `prune` change what has ended.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Engine

_OPTION = "export_matrix_kept"
_RUNS = 12
_SECONDS = 30.0
Read = TypeVar("Read")


class Kept:
    """What is kept: the newest used, for some seconds."""

    def __init__(self, *, most: int = _RUNS, seconds: float = _SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._found: OrderedDict[object, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    def read(self, key: object, read: Callable[[], Read]) -> Read:
        """What is kept under the key, else what `read` finds."""
        now = time.monotonic()
        with self._lock:
            until, found = self._found.get(key, (0.0, None))
            if until > now:
                self._found.move_to_end(key)
                kept: Read = found
                return kept
        made = read()
        with self._lock:
            self._found[key] = (now + self._seconds, made)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return made

    def forget(self) -> None:
        with self._lock:
            self._found.clear()


def keeping(engine: Engine, kept: Kept) -> Engine:
    """The same database, read with what is kept."""
    return engine.execution_options(**{_OPTION: kept})


def kept_of(engine: Engine) -> Kept | None:
    """What an engine keeps; None if it reads everything anew."""
    kept: Kept | None = engine.get_execution_options().get(_OPTION)
    return kept
