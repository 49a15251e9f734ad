"""How a run's cells stand by backend and variant: counted when it closes, for whoever draws runs.

Of a run that has not closed, or whose count is not there, it is counted from its verdicts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Engine, select

from runner.core.runs import Run, Verdict
from runner.store.tables import cell as cells_
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

#: `backend/variant` -> verdict -> cells
Tally = Mapping[str, Mapping[Verdict, int]]


def tallies(engine: Engine, runs: Sequence[Run]) -> dict[int, Tally]:
    """The tallies of those runs."""
    asked = select(runs_.c.id, runs_.c.tally).where(runs_.c.id.in_([run.id for run in runs]))
    with engine.connect() as connection:
        known = {number: tally for number, tally in connection.execute(asked).all() if tally}
    return {run.id: _read(known.get(run.id) or _counted(engine, run)) for run in runs}


def _counted(engine: Engine, run: Run) -> Mapping[str, Mapping[str, int]]:
    return _remembered(engine, run.id, run.closed_at, run.received)


@lru_cache(maxsize=512)
def _remembered(
    engine: Engine, run_id: int, _closed_at: datetime | None, _received: int
) -> Mapping[str, Mapping[str, int]]:
    """Of a run from before tallies were kept, as long as it stays as it is."""
    with engine.connect() as connection:
        return counted(connection, run_id)


def _read(tally: Mapping[str, Mapping[str, int]]) -> Tally:
    return {
        place: {Verdict(name): count for name, count in counts.items()}
        for place, counts in tally.items()
    }


def counted(connection: Connection, run_id: int) -> dict[str, dict[str, int]]:
    """Counted from the run's verdicts."""
    asked = (
        select(cells_.c.cell, verdicts_.c.verdict)
        .join(cells_, cells_.c.id == verdicts_.c.cell_id)
        .where(verdicts_.c.run_id == run_id)
    )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for cell, verdict in connection.execute(asked):
        _, _, variant, backend = cell.split("/")
        found[f"{backend}/{variant}"][verdict] += 1
    return {place: dict(found[place]) for place in sorted(found)}
