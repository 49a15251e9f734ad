"""What is not the same in two runs: a run's ten thousand cells are compared where they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, and_, func, or_, select, union

from runner.core.runs import CellVerdict, Verdict
from runner.store.bulk import chunks
from runner.store.reads import VERDICTS, read_verdict, utc
from runner.store.tables import failure_group
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

_PLAIN = [each.value for each in (Verdict.PASS, Verdict.FAIL, Verdict.SKIP)]


def moved(engine: Engine, before: int, after: int) -> tuple[list[CellVerdict], list[CellVerdict]]:
    """The cells of both runs, but for those that pass, fail alike, or are skipped in both."""
    old, new = verdicts_.alias("old"), verdicts_.alias("new")
    joined = new.outerjoin(old, and_(old.c.run_id == before, old.c.cell_id == new.c.cell_id))
    other = or_(
        old.c.cell_id.is_(None),
        old.c.verdict != new.c.verdict,
        func.coalesce(old.c.group_id, 0) != func.coalesce(new.c.group_id, 0),
        func.coalesce(old.c.stage, "") != func.coalesce(new.c.stage, ""),
        new.c.verdict.not_in(_PLAIN),
    )
    changed = select(new.c.cell_id).select_from(joined).where(new.c.run_id == after, other)
    kept = and_(new.c.run_id == after, new.c.cell_id == old.c.cell_id)
    gone = select(old.c.cell_id).select_from(old.outerjoin(new, kept))
    gone = gone.where(old.c.run_id == before, new.c.cell_id.is_(None))
    with engine.connect() as connection:
        numbers = list(connection.scalars(union(changed, gone)))
        sides: tuple[list[CellVerdict], list[CellVerdict]] = ([], [])
        for side, run_id in zip(sides, (before, after), strict=True):
            for part in chunks(numbers):
                asked = VERDICTS.where(verdicts_.c.run_id == run_id, verdicts_.c.cell_id.in_(part))
                side.extend(map(read_verdict, connection.execute(asked)))
    return sides


def passed_last(engine: Engine, run_id: int, earlier: Sequence[int]) -> dict[int, int]:
    """Of the cells that fail in a run: the newest of the earlier runs they passed in -> how many.

    A death is no regression (`runner.core.change`), so it is left out.
    """
    now, then = verdicts_.alias("now"), verdicts_.alias("then")
    # A look into the index for each cell; joined, all that there ever was would be read.
    newest = (
        select(then.c.run_id)
        .where(then.c.cell_id == now.c.cell_id, then.c.run_id.in_(earlier))
        .where(then.c.verdict == Verdict.PASS.value)
        .order_by(then.c.run_id.desc())
        .limit(1)
        .correlate(now)
        .scalar_subquery()
    )
    failed = (now.c.run_id == run_id, now.c.verdict == Verdict.FAIL.value, now.c.suspect.is_(False))
    last = select(newest.label("run_id")).where(*failed).subquery()
    asked = select(last.c.run_id, func.count().label("cells")).group_by(last.c.run_id)
    asked = asked.where(last.c.run_id.is_not(None))
    with engine.connect() as connection:
        return {row.run_id: row.cells for row in connection.execute(asked)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A failure group of a run, and when it was first seen."""

    signature: str
    title: str
    kind: str
    cells: int
    first_run: int
    first_seen: datetime


def groups_seen(engine: Engine, run_id: int) -> list[Seen]:
    """A run's groups, those with most cells first; of each, an index has its first run."""
    inside = verdicts_.alias("inside")
    counted = (
        select(verdicts_.c.group_id, func.count().label("cells"))
        .where(verdicts_.c.run_id == run_id, verdicts_.c.group_id.is_not(None))
        .group_by(verdicts_.c.group_id)
        .subquery()
    )
    first = select(func.min(inside.c.run_id)).where(inside.c.group_id == counted.c.group_id)
    named = (
        select(
            failure_group.c.signature,
            failure_group.c.title,
            failure_group.c.kind,
            counted.c.cells,
            first.correlate(counted).scalar_subquery().label("first_run"),
        )
        .join(counted, counted.c.group_id == failure_group.c.id)
        .subquery()
    )
    asked = select(named, runs_.c.started_at.label("first_seen"))
    asked = asked.join(runs_, runs_.c.id == named.c.first_run)
    with engine.connect() as connection:
        rows = connection.execute(asked.order_by(named.c.cells.desc(), named.c.signature))
        return [
            Seen(
                signature=row.signature,
                title=row.title,
                kind=row.kind,
                cells=row.cells,
                first_run=row.first_run,
                first_seen=utc(row.first_seen),
            )
            for row in rows
        ]
