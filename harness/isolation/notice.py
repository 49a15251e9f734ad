"""Tells, in a file, which cells run on this host now: for whoever looks, and nobody waits for it.

The file is replaced whole, twice a second at most. What is written is the zygote's own knowledge; a
stage is the only word of a child in it.
"""

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.isolation.running import Running

_EVERY_S = 0.5


class Notice:
    """The file, as the zygote keeps it; without a path nothing is told."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._told: list[dict[str, object]] = []
        self._at = 0.0

    def tell(self, running: Iterable[Running], now: float) -> None:
        """Bring the file up to date; `now` is of the monotonic clock."""
        running = list(running)
        if self._path is None or (running and now - self._at < _EVERY_S):
            return
        told = [_record(each, time.time() - now) for each in running]
        if told != self._told:
            self._told, self._at = told, now
            with suppress(OSError):  # a full disk says so where results are written
                draft = self._path.with_suffix(".draft")
                draft.write_text(json.dumps(told))
                draft.replace(self._path)


def _record(running: Running, offset: float) -> dict[str, object]:
    return {
        "cell": running.request.cell.id,
        "attempt": running.request.attempt,
        "stage": running.entered[-1].stage if running.entered else None,
        "since": round(offset + running.started, 1),
    }
