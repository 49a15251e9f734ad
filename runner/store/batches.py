"""Results made ready for the tables, a bounded number at a time. Nothing here asks a database.

What is dear (JSON, digests, the fold of a cell's only attempt) is done here, before any lock.
"""

import json
import pickle
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple

from harness.results import Result
from runner.core.modalities import kinds_of
from runner.core.plain import storable
from runner.core.verdict import fold
from runner.store.rows import detail, digest, group_row, unopened_run, verdict_row

# A batch's bounds: of memory, and of how long its transaction holds locks.
_RESULTS = 10_000
_CHARACTERS = 16 * 2**20
_IN_MEMORY_BYTES = 8 * 2**20


class Row(NamedTuple):
    """A result with its keys by name, its texts by digest, and the verdict that it gives alone."""

    run: str
    cell: str
    attempt: int
    #: the first of its cell in the batch
    leads: bool
    outcome: str
    signature: str | None
    detail: str
    stack: str
    traceback: str | None
    log: str | None
    verdict: str
    stage: str | None
    kind: str | None
    reason: str | None
    suspect: bool
    attempts: int
    duration_s: float | None
    peak_rss_bytes: int | None
    cpu_s: float | None
    planned_bytes: int | None
    max_abs_diff: float | None
    export_s: float | None
    graph_nodes: int | None
    carried_from: str | None


@dataclass(slots=True)
class Batch:
    """The rows of some results, and of all that they name."""

    #: how many results it stands for; one that came twice has one row
    size: int = 0
    #: run -> what becomes of it if nobody opened it yet
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: signature -> failure group
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: digest -> body
    texts: dict[str, str] = field(default_factory=dict)
    #: (model type, what its models take)
    takes: set[tuple[str, str]] = field(default_factory=set)
    characters: int = 0
    #: each a `Row`, as a plain tuple: that is kept and sent in half the time
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def full(self) -> bool:
        return self.size >= _RESULTS or self.characters >= _CHARACTERS

    def add(self, result: Result, *, leads: bool) -> None:
        if result.run not in self.runs:
            self.runs[result.run] = unopened_run(result)
        if result.signature and result.signature not in self.groups:
            self.groups[result.signature] = group_row(result)
        for kind in kinds_of(result.recipe.get("sizes") or ()):
            self.takes.add((result.cell.model_type, kind))
        row = Row(
            run=result.run,
            cell=result.cell.id,
            attempt=result.attempt,
            leads=leads,
            outcome=result.outcome.value,
            signature=result.signature or None,
            detail=self._text(detail(result)),
            stack=self._text(_spelled(tuple(result.stack.items()))),
            traceback=self._foreign(result.traceback),
            log=self._foreign(result.log_tail),
            **verdict_row(fold([result])),
        )
        self.rows.append(tuple(row))

    def _text(self, body: str) -> str:
        key = digest(body)
        if key not in self.texts:
            self.texts[key] = body
            self.characters += len(body)
        return key

    def _foreign(self, body: str | None) -> str | None:
        return self._text(storable(body)) if body else None


@lru_cache(maxsize=16)
def _spelled(stack: tuple[tuple[str, str], ...]) -> str:
    """A stack as JSON; the results of a run share theirs."""
    return json.dumps(dict(stack))


def batches(results: Iterable[Result]) -> Iterator[Batch]:
    """The results in batches; only the last is not full."""
    batch = Batch()
    attempts: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for result in results:
        batch.size += 1
        known = attempts[result.run, result.cell.id]
        if result.attempt not in known:
            batch.add(result, leads=not known)
            known.add(result.attempt)
        if batch.full:
            yield batch
            batch = Batch()
            attempts.clear()
    if batch.size:
        yield batch


@contextmanager
def spooled(made: Iterable[Batch]) -> Iterator[Iterator[Batch]]:
    """All the batches, once the last is made without an error; on disk where they are many."""
    with SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
        for batch in made:
            pickle.dump(batch, spool)
        end = spool.tell()
        spool.seek(0)
        yield _read(spool, end)


def _read(spool: IO[bytes], end: int) -> Iterator[Batch]:
    while spool.tell() < end:
        yield pickle.load(spool)  # noqa: S301  (of our own file, which has no name)
