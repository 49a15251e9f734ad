"""Figures of a database for those who watch it: what is queued, what runs, what was told last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from runner.core.runs import Run
from runner.store import reads
from runner.store.fleet import queue_counts
from runner.store.tables import work

_RUNS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How things stand."""

    #: pieces of work by state; those that are over are not counted
    work: Mapping[str, int]
    #: since when the oldest piece waits
    waiting_since: datetime | None
    #: of the newest runs, those that have not ended
    open_runs: int
    newest_complete: Run | None


def figures(engine: Engine) -> Figures:
    """What stands in the database now."""
    with engine.connect() as connection:
        oldest = connection.scalar(
            select(func.min(work.c.queued_at)).where(work.c.state == "queued")
        )
    newest = reads.runs(engine, limit=_RUNS)
    return Figures(
        work=queue_counts(engine),
        waiting_since=None if oldest is None else reads.utc(oldest),
        open_runs=sum(run.closed_at is None for run in newest),
        newest_complete=next((run for run in newest if run.complete), None),
    )
