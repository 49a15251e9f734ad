"""Takes a run's results as they come: counts them, ingests them in batches, tells how the run goes.

It tells each second, whether results come or not: who watches a terminal at once, the database
with each batch. What fails while it tells ends the run as if it had failed in the run itself.
"""

import dataclasses
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.cells import Cell
from harness.isolation.messages import started_now
from harness.results import Result
from runner.core.runs import Progress
from runner.core.watch import Watch
from runner.steps.plans import Plan, results_of
from runner.store import writes
from runner.store.engine import Engine

_BATCH = 500
_BATCH_S = 5.0
_TELL_S = 1.0

OnProgress = Callable[[Progress], None]


class Intake:
    """Where the results of one run go on this machine; what came is kept, whatever ends it."""

    def __init__(
        self, engine: Engine, plan: Plan, planned: Mapping[Cell, float], on_progress: OnProgress
    ) -> None:
        """`planned` holds the seconds that each cell of the share is expected to take."""
        self._engine = engine
        self._uid = plan.uid
        self._share = _share(plan)
        self._on_progress = on_progress
        self._watch = Watch(planned=planned)
        for result in results_of(plan):
            self._watch.ended(result, at=None)
        self._notice: Path | None = None
        self._canary: tuple[int, int] | None = None
        self._batch: list[Result] = []
        self._flushed = 0.0
        self._failed: Exception | None = None
        self._counting, self._writing = threading.Lock(), threading.Lock()
        self._ending = threading.Event()
        self._teller = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._teller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._teller.join()
        self._flush(going=False)

    def take(self, results: Iterable[Result], *, notice: Path | None = None) -> set[Cell]:
        """Take them all, and say of which cells they are.

        `notice` is the file that tells which cells run meanwhile.
        """
        taken: set[Cell] = set()
        self._notice = notice
        for result in results:
            self._check()
            taken.add(result.cell)
            with self._counting:
                self._watch.ended(result, at=time.time())
                self._batch.append(result)
            if len(self._batch) >= _BATCH:
                self._flush()
        self._check()
        self._notice = None
        return taken

    def compared(self, done: int, size: int) -> None:
        """Tell how far the canary is."""
        self._check()
        self._canary = done, size

    def _check(self) -> None:
        if self._failed:
            raise self._failed

    def _tell(self) -> None:
        while not self._failed and not self._ending.wait(_TELL_S):
            try:
                self._on_progress(self._progress())
                if time.monotonic() - self._flushed > _BATCH_S:
                    self._flush()
            except Exception as error:  # noqa: BLE001  (raised again by `take`, where it is seen)
                self._failed = error

    def _progress(self, *, going: bool = True) -> Progress:
        running = started_now(self._notice) if self._notice else ()
        with self._counting:
            told = self._watch.at(datetime.now(UTC), running, going=going)
        return dataclasses.replace(told, canary=self._canary)

    def _flush(self, *, going: bool = True) -> None:
        with self._writing:
            with self._counting:
                batch, self._batch = self._batch, []
            writes.ingest_results(self._engine, batch)
            told = self._progress(going=going)
            writes.note_progress(self._engine, self._uid, self._share, told)
            self._flushed = time.monotonic()


def _share(plan: Plan) -> str:
    """What tells the machines of a run apart, and is the same when one resumes."""
    place = f"{socket.gethostname()}:{plan.folder.resolve()}"
    return hashlib.sha256(place.encode()).hexdigest()[:12]
