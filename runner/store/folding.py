"""What is told anew from what is stored: verdicts of several attempts, the summary of a run."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from harness.results import Result
from runner.core.verdict import fold
from runner.store import reads
from runner.store.attempts import attempts_of
from runner.store.bulk import chunks, ids, upsert
from runner.store.rows import verdict_row
from runner.store.tables import failure_group, run, verdict
from runner.store.tallies import counted


class LockedRun(NamedTuple):
    """A run that stays as open or as closed as it is until the transaction ends."""

    id: int
    closed: bool


def lock_run(connection: Connection, uid: str) -> LockedRun:
    """Share the run with its other writers; one that is closed has one at a time.

    Its summary is written by each of them: nobody may count beside what another is about to add.
    """
    asked = select(run.c.id, run.c.closed_at).where(run.c.uid == uid)
    with connection.begin_nested() as shared:
        found = connection.execute(asked.with_for_update(read=True)).one()
        if found.closed_at is None:
            return LockedRun(found.id, closed=False)
        shared.rollback()  # gives the lock back: two that share it could not both go on
    found = connection.execute(asked.with_for_update()).one()
    return LockedRun(found.id, closed=found.closed_at is not None)


def refold(connection: Connection, run_id: int, cell_ids: Sequence[int]) -> None:
    """Fold all attempts of these cells of a run again."""
    for part in chunks(cell_ids):
        attempts: dict[int, list[Result]] = defaultdict(list)
        for cell_id, found in attempts_of(connection, run_id, part):
            attempts[cell_id].append(found)
        folded = {cell_id: fold(results) for cell_id, results in attempts.items()}
        signatures = [found.signature for found in folded.values() if found.signature]
        groups = ids(connection, failure_group, "signature", signatures)
        rows = [
            {
                "run_id": run_id,
                "cell_id": cell_id,
                "group_id": groups.get(folded[cell_id].signature or ""),
                **verdict_row(folded[cell_id]),
            }
            for cell_id in sorted(folded)
        ]
        upsert(connection, verdict, rows, keys=("run_id", "cell_id"))


def summarise(connection: Connection, run_id: int) -> None:
    """Count a run's verdicts, for whoever lists or draws runs."""
    counts = reads.verdict_counts(connection, [run_id]).get(run_id, {})
    told = {"summary": counts, "tally": counted(connection, run_id)}
    connection.execute(update(run).where(run.c.id == run_id).values(**told))
