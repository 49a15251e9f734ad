"""What is not the same in two runs: a run's ten thousand cells are compared where they are."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Engine, ScalarSelect, and_, func, or_, select

from runner.core.numbers import FLOORS, Floor, Measure
from runner.core.runs import CellVerdict, Verdict
from runner.store.bulk import chunks
from runner.store.reads import VERDICTS, not_passed, read_verdict, utc, verdict_counts, verdicts
from runner.store.tables import failure_group
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

_PLAIN = (Verdict.PASS, Verdict.FAIL, Verdict.SKIP)
_OLD, _NEW = verdicts_.alias("old"), verdicts_.alias("new")
_COMPARED = ("cell_id", "verdict", "group_id", "stage", *Measure)
#: databases may round a product otherwise than Python does
_HAIR = 1 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Cells of two runs."""

    before: list[CellVerdict]
    after: list[CellVerdict]
    #: cells that were left out, as they came to the same in both, by what that is
    alike: Mapping[Verdict, int] = field(default_factory=dict)


#: what tells cells apart that are in both runs, of the earlier one and `_NEW`
Differ = Callable[[CTE], ColumnElement[bool]]


def whole(engine: Engine, before: int, after: int) -> Sides:
    """All cells of both runs."""
    return Sides(before=verdicts(engine, before), after=verdicts(engine, after))


def moved(engine: Engine, before: int, after: int) -> Sides:
    """The cells of both runs, but for those that pass, fail alike, or are skipped in both."""
    return _counted(engine, before, after, _changed)


def moved_or_apart(engine: Engine, before: int, after: int) -> Sides:
    """The cells that `moved` tells, and those that pass in both with numbers that are apart.

    Apart by the floors of `runner.core.numbers`, or by a hair less.
    """
    return _counted(engine, before, after, lambda old: or_(_changed(old), _apart(old)))


def not_passing(engine: Engine, before: int, after: int) -> Sides:
    """The cells of `moved_or_apart`, and those that came to the same and don't pass.

    Of these the head is read alone, and stands for the baseline as well.
    """
    found = moved_or_apart(engine, before, after)
    there = {each.cell for each in found.after}
    same = [each for each in not_passed(engine, after) if each.cell not in there]
    passing = {Verdict.PASS: found.alike[Verdict.PASS]}
    return Sides(before=found.before + same, after=found.after + same, alike=passing)


def _changed(old: CTE) -> ColumnElement[bool]:
    return or_(
        old.c.verdict != _NEW.c.verdict,
        func.coalesce(old.c.group_id, 0) != func.coalesce(_NEW.c.group_id, 0),
        func.coalesce(old.c.stage, "") != func.coalesce(_NEW.c.stage, ""),
        _NEW.c.verdict.not_in([each.value for each in _PLAIN]),
    )


def _apart(old: CTE) -> ColumnElement[bool]:
    passes = (side.c.verdict == Verdict.PASS.value for side in (old, _NEW))
    far = or_(*(_far(old.c[each], _NEW.c[each], FLOORS[each]) for each in Measure))
    return and_(*passes, _NEW.c.carried_from.is_(None), far)


def _far(old: ColumnElement[Any], new: ColumnElement[Any], floor: Floor) -> ColumnElement[bool]:
    ratio = floor.ratio * _HAIR
    times = or_(new >= ratio * old, old >= ratio * new)
    return and_(func.abs(new - old) >= _HAIR * floor.absolute, times)


def _counted(engine: Engine, before: int, after: int, differ: Differ) -> Sides:
    """The cells that differ; the others, plain and alike in both, are counted."""
    found = _sides(engine, before, after, differ)
    with engine.connect() as connection:
        counts = verdict_counts(connection, [after]).get(after, {})
    read = Counter(each.verdict for each in found.after)
    return replace(found, alike={each: counts.get(each, 0) - read[each] for each in _PLAIN})


def _sides(engine: Engine, before: int, after: int, differ: Differ) -> Sides:
    """The cells that one side alone has, and those that differ."""
    there = select(*(verdicts_.c[name] for name in _COMPARED)).where(verdicts_.c.run_id == before)
    # Else SQLite looks each cell up in an index over all runs, whose pages lie far apart.
    old = there.cte("old").prefix_with("MATERIALIZED", dialect="sqlite")
    joined = _NEW.outerjoin(old, old.c.cell_id == _NEW.c.cell_id)
    other = or_(old.c.cell_id.is_(None), differ(old))
    changed = select(_NEW.c.cell_id).select_from(joined).where(_NEW.c.run_id == after, other)
    had, has = (
        select(verdicts_.c.cell_id).where(verdicts_.c.run_id == each) for each in (before, after)
    )
    found = Sides(before=[], after=[])
    with engine.connect() as connection:
        numbers = [*connection.scalars(changed), *connection.scalars(had.except_(has))]
        for side, run_id in ((found.before, before), (found.after, after)):
            for part in chunks(numbers):
                asked = VERDICTS.where(verdicts_.c.run_id == run_id, verdicts_.c.cell_id.in_(part))
                side.extend(map(read_verdict, connection.execute(asked)))
    return found


def passed_last(engine: Engine, run_id: int, earlier: Sequence[int]) -> dict[int, int]:
    """Of the cells that fail in a run: the newest of the earlier runs they passed in -> how many.

    A death is no regression (`runner.core.change`), so it is left out.
    """
    failed, among = (_NEW.c.verdict == Verdict.FAIL.value, _NEW.c.suspect.is_(False)), set(earlier)
    asked = select(_NEW.c.cell_id, _passed_in(_OLD.c.run_id.between(min(earlier), max(earlier))))
    with engine.connect() as connection:
        rows = connection.execute(asked.where(_NEW.c.run_id == run_id, *failed))
        found = {row[0]: row[1] for row in rows if row[1] is not None}
        # Runs of other lines lie between: what passed last in one of them is asked anew.
        others = [cell for cell, last in found.items() if last not in among]
        asked = select(_NEW.c.cell_id, _passed_in(_OLD.c.run_id.in_(earlier)))
        for part in chunks(others):
            here = asked.where(_NEW.c.run_id == run_id, _NEW.c.cell_id.in_(part))
            found |= {row[0]: row[1] for row in connection.execute(here)}
    return dict(Counter(last for last in found.values() if last is not None))


def _passed_in(runs: ColumnElement[bool]) -> ScalarSelect[int]:
    """The newest of those runs in which a cell of `_NEW` passed: a look into the index for each.

    Joined, all that there ever was would be read.
    """
    here = (_OLD.c.cell_id == _NEW.c.cell_id, _OLD.c.verdict == Verdict.PASS.value, runs)
    newest = select(_OLD.c.run_id).where(*here).order_by(_OLD.c.run_id.desc()).limit(1)
    return newest.correlate(_NEW).scalar_subquery()


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
