"""What cells took when they last ran: what plans are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, func, select

from runner.core.runs import Verdict
from runner.store.tables import cell, run, verdict

_RECENT_RUNS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """By cell id, in the newest of the last runs that has the cell; skips took nothing."""

    seconds: Mapping[str, float]
    #: resident memory over the zygote's at its peak, in MiB; the planned one where that is unknown
    mib: Mapping[str, int]


def spent(engine: Engine) -> Spent:
    """What is known. A plan that was loaded is in the peak; one that is too large never was."""
    recent = select(run.c.id).order_by(run.c.id.desc()).limit(_RECENT_RUNS)
    newest = (
        select(verdict.c.cell_id, func.max(verdict.c.run_id).label("run_id"))
        .where(verdict.c.run_id.in_(recent), verdict.c.duration_s > 0)
        .where(verdict.c.verdict != Verdict.SKIP)
        .group_by(verdict.c.cell_id)
        .subquery()
    )
    asked = (
        select(cell.c.cell, verdict.c.duration_s, verdict.c.peak_rss_bytes, verdict.c.planned_bytes)
        .join(newest, (newest.c.cell_id == cell.c.id))
        .join(
            verdict,
            (verdict.c.cell_id == newest.c.cell_id) & (verdict.c.run_id == newest.c.run_id),
        )
    )
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    taken = {row.cell: row.peak_rss_bytes or row.planned_bytes for row in rows}
    return Spent(
        seconds={row.cell: row.duration_s for row in rows},
        mib={name: (size >> 20) + 1 for name, size in taken.items() if size},
    )
