"""How a run's cells stand by backend and variant: counted when it closes, for whoever draws runs.

Of a run that has not closed, or whose count is not there, it is counted from its verdicts.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, select

from runner.core.runs import Verdict
from runner.store.tables import cell as cells_
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

#: `backend/variant` -> verdict -> cells
Tally = Mapping[str, Mapping[Verdict, int]]


def tallies(engine: Engine, run_ids: Sequence[int]) -> dict[int, Tally]:
    """The tallies of those runs."""
    asked = select(runs_.c.id, runs_.c.tally).where(runs_.c.id.in_(run_ids))
    with engine.connect() as connection:
        return {
            number: _read(tally or counted(connection, number))
            for number, tally in connection.execute(asked).all()
        }


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
