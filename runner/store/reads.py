"""Every question that is asked of the database: one function each, answered in our dataclasses.

A run is read through `verdict`; what single attempts left is read by `runner.store.attempts`, and
what only several runs tell by `runner.store.history`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, Row, Select, func, select

from harness.cells import Cell
from harness.errors import SelectionError, nearest
from harness.results import Stage
from runner.core.runs import Audit, Canary, CellVerdict, FailureGroup, Progress, Run, Verdict
from runner.core.schedule import Schedule
from runner.store.kept import kept_of
from runner.store.tables import cell as cells_
from runner.store.tables import failure_group
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

RECENT_RUNS = 20
#: so many cells are sooner asked for by name than with all of their run
_FEW = 500
_VERDICTS = {each.value: each for each in Verdict}
_MORE = len(fields(CellVerdict)) - 3
_STAGES = {each.value: each for each in Stage}
# The same ids come in every run; to read one again takes as long as to read its row.
_cell = lru_cache(maxsize=65_536)(Cell.parse)


# ── runs ────────────────────────────────────────────────────────────────────────────────────────
def runs(engine: Engine, *, limit: int = 50, before_id: int | None = None) -> list[Run]:
    """The newest runs, newest first; `before_id` goes on from there."""
    asked = select(runs_).order_by(runs_.c.id.desc()).limit(limit)
    if before_id is not None:
        asked = asked.where(runs_.c.id < before_id)
    with engine.connect() as connection:
        return read_runs(connection, asked)


def run(engine: Engine, ref: str) -> Run:
    """The run of that number or unique name, `latest`, or the newest of that revision.

    `SelectionError` names the nearest if there is none.
    """
    newest = select(runs_).order_by(runs_.c.id.desc()).limit(1)
    asked = [newest.where(runs_.c.uid == ref), newest.where(runs_.c.revision == ref)]
    if ref == "latest":
        asked = [newest]
    elif ref.isascii() and ref.isdecimal() and len(ref) < 10:
        asked = [newest.where(runs_.c.id == int(ref))]
    with engine.connect() as connection:
        for question in asked:
            found = read_runs(connection, question)
            if found:
                return found[0]
        raise SelectionError(_no_run(connection, ref))


def _no_run(connection: Connection, ref: str) -> str:
    recent = connection.execute(
        select(runs_.c.id, runs_.c.uid, runs_.c.revision)
        .order_by(runs_.c.id.desc())
        .limit(RECENT_RUNS)
    ).all()
    if not recent:
        return f"no run {ref!r}: the database has none yet; make one with: export-matrix run"
    known = dict.fromkeys(str(value) for row in recent for value in row)
    revisions = ", ".join(dict.fromkeys(row.revision for row in recent))
    numbers = f"{recent[-1].id}-{recent[0].id}"
    return f"no run {ref!r}{nearest(ref, known)} (runs {numbers}; revisions {revisions})"


def previous_complete(engine: Engine, run: Run) -> Run | None:
    """The baseline of a run: the newest earlier complete one, of the same selection if possible.

    Of those, one of the same branch comes before any other.
    """
    closed = select(runs_).where(runs_.c.id < run.id, runs_.c.closed_at.is_not(None))
    newest = closed.order_by(runs_.c.id.desc()).limit(RECENT_RUNS)
    same = newest.where(runs_.c.selection == run.selection)
    asked = (same.where(runs_.c.branch.is_not_distinct_from(run.branch)), same, newest)
    with engine.connect() as connection:
        found = (earlier for question in asked for earlier in read_runs(connection, question))
        return next((earlier for earlier in found if earlier.complete), None)


def baselines(engine: Engine, head: Run, names: Sequence[str]) -> list[Run]:
    """The closed runs of those revisions, and the newest before a run, also of its selection."""
    closed = select(runs_).where(runs_.c.closed_at.is_not(None), runs_.c.id != head.id)
    newest = closed.where(runs_.c.id < head.id).order_by(runs_.c.id.desc()).limit(RECENT_RUNS)
    same = newest.where(runs_.c.selection == head.selection)
    asked = [same.where(runs_.c.branch.is_not_distinct_from(head.branch)), same, newest]
    asked += [closed.where(runs_.c.revision.in_(names))] if names else []
    with engine.connect() as connection:
        found = [each for question in asked for each in read_runs(connection, question)]
    return list({each.id: each for each in found}.values())


def read_runs(connection: Connection, asked: Select[Any]) -> list[Run]:
    """The runs that a select of the table means."""
    rows = connection.execute(asked).all()
    still_open = [row.id for row in rows if row.summary is None]
    counts = verdict_counts(connection, still_open)
    return [
        _run(row, counts.get(row.id, {}) if row.summary is None else row.summary) for row in rows
    ]


def verdict_counts(connection: Connection, run_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """run -> verdict -> cells, counted."""
    if not run_ids:
        return {}
    counted = (
        select(verdicts_.c.run_id, verdicts_.c.verdict, func.count())
        .where(verdicts_.c.run_id.in_(run_ids))
        .group_by(verdicts_.c.run_id, verdicts_.c.verdict)
    )
    counts: dict[int, dict[str, int]] = {}
    for run_id, verdict, count in connection.execute(counted):
        counts.setdefault(run_id, {})[verdict] = count
    return counts


def _run(row: Row[Any], counts: Mapping[str, int]) -> Run:
    return Run(
        id=row.id,
        uid=row.uid,
        revision=row.revision,
        branch=row.branch,
        stack=row.stack,
        selection=row.selection,
        started_at=utc(row.started_at),
        closed_at=None if row.closed_at is None else utc(row.closed_at),
        expected=row.expected,
        verdicts={verdict: counts[verdict] for verdict in Verdict if verdict in counts},
        duration_s=row.duration_s,
        progress=tuple(map(Progress.from_record, (row.progress or {}).values())),
        audit=row.audit and Audit(**row.audit | {"missed": tuple(row.audit["missed"])}),
        canary=row.canary and Canary(**row.canary),
        schedule=row.schedule and Schedule(**row.schedule),
    )


def utc(moment: datetime) -> datetime:
    """The moment in UTC: SQLite gives times back without their zone, which is always UTC here."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


# ── cells of a run ──────────────────────────────────────────────────────────────────────────────
#: a cell's verdict in a run, with its group's words: in the order of the fields of `CellVerdict`
VERDICTS: Select[Any] = (
    select(
        cells_.c.cell,
        verdicts_.c.verdict,
        verdicts_.c.stage,
        verdicts_.c.kind,
        failure_group.c.owner,
        failure_group.c.signature,
        failure_group.c.title,
        verdicts_.c.reason,
        verdicts_.c.suspect,
        verdicts_.c.attempts,
        verdicts_.c.duration_s,
        verdicts_.c.peak_rss_bytes,
        verdicts_.c.cpu_s,
        verdicts_.c.planned_bytes,
        verdicts_.c.max_abs_diff,
        verdicts_.c.export_s,
        verdicts_.c.graph_nodes,
        verdicts_.c.carried_from,
        verdicts_.c.run_id,
    )
    .join(cells_, cells_.c.id == verdicts_.c.cell_id)
    .outerjoin(failure_group, failure_group.c.id == verdicts_.c.group_id)
)


def verdicts(engine: Engine, run_id: int) -> list[CellVerdict]:
    """All cells of a run, in order; of one that has ended they may be kept (`store.kept`)."""
    asked = VERDICTS.where(verdicts_.c.run_id == run_id)
    return _kept(engine, run_id, "verdicts", lambda: _verdicts(engine, asked))


def outcomes(engine: Engine, run_id: int) -> list[CellVerdict]:
    """What every cell of a run came to: those that pass after the others, without their numbers.

    Most cells pass, and their numbers take longest to read. May be kept, as `verdicts`.
    """
    return _kept(engine, run_id, "outcomes", lambda: _outcomes(engine, run_id))


def _outcomes(engine: Engine, run_id: int) -> list[CellVerdict]:
    asked = select(cells_.c.cell).join(verdicts_, cells_.c.id == verdicts_.c.cell_id)
    asked = asked.where(verdicts_.c.run_id == run_id, verdicts_.c.verdict == Verdict.PASS.value)
    with engine.connect() as connection:
        passing = connection.scalars(asked).all()
    return [
        *not_passed(engine, run_id),
        *(CellVerdict(_cell(cell), Verdict.PASS) for cell in passing),
    ]


def numbered(engine: Engine, run_id: int, found: Sequence[CellVerdict]) -> Sequence[CellVerdict]:
    """The same cells of a run with their numbers, which `outcomes` leaves out of some."""
    lacking = [each.cell.id for each in found if each.verdict is Verdict.PASS]
    if not lacking:
        return found
    few = VERDICTS.where(verdicts_.c.run_id == run_id, cells_.c.cell.in_(lacking))
    read = _verdicts(engine, few) if len(lacking) <= _FEW else verdicts(engine, run_id)
    known = {each.cell: each for each in read}
    return [known.get(each.cell, each) for each in found]


def _kept(
    engine: Engine, run_id: int, what: str, read: Callable[[], list[CellVerdict]]
) -> list[CellVerdict]:
    """What is kept of a run that has ended, else read."""
    kept = kept_of(engine)
    if kept is None:
        return read()
    with engine.connect() as connection:
        ended = connection.scalar(select(runs_.c.closed_at).where(runs_.c.id == run_id))
    return read() if ended is None else kept.read((what, run_id, ended), read)


def not_passed(engine: Engine, run_id: int) -> list[CellVerdict]:
    """The cells of a run that don't pass, in order."""
    asked = VERDICTS.where(verdicts_.c.run_id == run_id)
    return _verdicts(engine, asked.where(verdicts_.c.verdict != Verdict.PASS.value))


class Spot(NamedTuple):
    """What a square of the matrix is made from."""

    cell: Cell
    verdict: Verdict
    stage: str | None
    title: str | None
    reason: str | None


def spots(engine: Engine, run_id: int, *, model_type: str | None = None) -> list[Spot]:
    """All cells of a run, or of a model type, in no order; of each the little a matrix shows."""
    asked = (
        select(
            cells_.c.cell,
            verdicts_.c.verdict,
            verdicts_.c.stage,
            failure_group.c.title,
            verdicts_.c.reason,
        )
        .join(cells_, cells_.c.id == verdicts_.c.cell_id)
        .outerjoin(failure_group, failure_group.c.id == verdicts_.c.group_id)
        .where(verdicts_.c.run_id == run_id)
    )
    if model_type is not None:
        asked = asked.where(cells_.c.cell.startswith(f"{model_type}/", autoescape=True))
    with engine.connect() as connection:
        return [
            Spot(_cell(cell), _VERDICTS[verdict], stage, title, reason)
            for cell, verdict, stage, title, reason in connection.execute(asked)
        ]


def verdict(engine: Engine, run_id: int, cell: Cell) -> CellVerdict | None:
    """One cell of a run; None if the run never meant to run it."""
    asked = VERDICTS.where(verdicts_.c.run_id == run_id, cells_.c.cell == cell.id)
    return next(iter(_verdicts(engine, asked)), None)


def dearest(engine: Engine, run_id: int, column: str, *, limit: int) -> list[CellVerdict]:
    """The cells of a run with the largest numbers in a column of `verdict`, the largest first."""
    value, order = verdicts_.c[column], (verdicts_.c[column].desc(), verdicts_.c.cell_id)
    # Chosen first, and only then joined with their names.
    largest = select(verdicts_.c.cell_id).where(verdicts_.c.run_id == run_id, value.is_not(None))
    largest = largest.order_by(*order).limit(limit)
    with engine.connect() as connection:
        ids = connection.scalars(largest).all()
        asked = VERDICTS.where(verdicts_.c.run_id == run_id, verdicts_.c.cell_id.in_(ids))
        return list(map(read_verdict, connection.execute(asked.order_by(*order))))


def durations(engine: Engine, run_id: int) -> list[tuple[str, float]]:
    """(backend, seconds) of each cell that a run executed; what was carried over took none."""
    asked = (
        select(cells_.c.cell, verdicts_.c.duration_s)
        .join(cells_, cells_.c.id == verdicts_.c.cell_id)
        .where(
            verdicts_.c.run_id == run_id,
            verdicts_.c.duration_s.is_not(None),
            verdicts_.c.carried_from.is_(None),
            verdicts_.c.verdict != Verdict.SKIP.value,
        )
    )
    with engine.connect() as connection:
        return [(cell.rpartition("/")[2], took) for cell, took in connection.execute(asked)]


def siblings(engine: Engine, run_id: int, cell: Cell) -> list[CellVerdict]:
    """The cells of the same model class in a run."""
    same = cells_.c.cell.startswith(f"{cell.model_type}/{cell.model_class}/", autoescape=True)
    return _verdicts(engine, VERDICTS.where(verdicts_.c.run_id == run_id, same))


def group_cells(engine: Engine, signature: str, *, run_id: int) -> list[CellVerdict]:
    """The cells of a failure group in a run, in order."""
    asked = VERDICTS.where(verdicts_.c.run_id == run_id, failure_group.c.signature == signature)
    return _verdicts(engine, asked)


def _verdicts(engine: Engine, asked: Select[Any]) -> list[CellVerdict]:
    with engine.connect() as connection:
        found = connection.execute(asked).all()
    rows = sorted(found, key=lambda row: row[0].replace("/", "\0"))
    return list(map(read_verdict, rows))


def read_verdict(row: Row[Any]) -> CellVerdict:
    """The verdict of a row of `VERDICTS`; columns that were added to it come after its own."""
    # Taken apart at once: a run has ten thousand, and a name of a row is looked up each time.
    cell, verdict, stage, *more = cast("tuple[Any, ...]", row)
    at = None if stage is None else _STAGES[stage]
    return CellVerdict(_cell(cell), _VERDICTS[verdict], at, *more[:_MORE])


# ── failure groups ──────────────────────────────────────────────────────────────────────────────
def groups(engine: Engine, run_id: int) -> list[FailureGroup]:
    """The failure groups of a run, the one with the most cells first."""
    counted = func.count().label("cells")
    asked = (
        select(failure_group, counted)
        .join(verdicts_, verdicts_.c.group_id == failure_group.c.id)
        .where(verdicts_.c.run_id == run_id)
        .group_by(failure_group.c.id)
        .order_by(counted.desc(), failure_group.c.signature)
    )
    with engine.connect() as connection:
        return [_group(row, cells=row.cells) for row in connection.execute(asked)]


def group(engine: Engine, signature: str) -> FailureGroup | None:
    """A failure group over all runs: its cells are those of the newest run it was seen in."""
    with engine.connect() as connection:
        row = connection.execute(
            select(failure_group).where(failure_group.c.signature == signature)
        ).one_or_none()
        if row is None:
            return None
        inside = verdicts_.c.group_id == row.id
        # Each by itself is one look into the index; together they would read all of the group.
        first, last = (
            connection.scalar(select(end(verdicts_.c.run_id)).where(inside))
            for end in (func.min, func.max)
        )
        counted = select(func.count()).where(inside, verdicts_.c.run_id == last)
        return _group(row, cells=connection.scalar(counted) or 0, first=first, last=last)


def named_group(engine: Engine, signature: str) -> FailureGroup | None:
    """A failure group of which nothing is counted."""
    with engine.connect() as connection:
        asked = select(failure_group).where(failure_group.c.signature == signature)
        row = connection.execute(asked).one_or_none()
        return None if row is None else _group(row, cells=0)


def _group(
    row: Row[Any], *, cells: int, first: int | None = None, last: int | None = None
) -> FailureGroup:
    return FailureGroup(
        signature=row.signature,
        title=row.title,
        kind=row.kind,
        owner=row.owner,
        stage=None if row.stage is None else Stage(row.stage),
        cells=cells,
        first_run=first,
        last_run=last,
    )


def group_runs(engine: Engine, signature: str, *, limit: int = 30) -> list[tuple[Run, int]]:
    """(run, cells of the group in it), newest first."""
    asked = select(failure_group.c.id).where(failure_group.c.signature == signature)
    with engine.connect() as connection:
        group_id = connection.scalar(asked)
        newest = _runs_of_group(group_id or 0).limit(limit)
        counted = (
            select(verdicts_.c.run_id, func.count())
            .where(verdicts_.c.group_id == group_id, verdicts_.c.run_id.in_(newest))
            .group_by(verdicts_.c.run_id)
        )
        counts: dict[int, int] = dict(connection.execute(counted).all())
        found = read_runs(connection, select(runs_).where(runs_.c.id.in_(counts)))
    return [(item, counts[item.id]) for item in sorted(found, key=lambda item: -item.id)]


def _runs_of_group(group_id: int) -> Select[Any]:
    """Its runs, newest first, each found in the index from the one after it.

    To group its rows by run would read all that it ever had.
    """
    inside = select(func.max(verdicts_.c.run_id).label("run_id"))
    inside = inside.where(verdicts_.c.group_id == group_id)
    steps = inside.cte("steps", recursive=True)
    last = steps.c.run_id
    before = inside.where(verdicts_.c.run_id < last).scalar_subquery()
    return select(steps.union_all(select(before).where(last.is_not(None))).c.run_id)
