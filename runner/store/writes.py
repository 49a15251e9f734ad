"""Everything that changes the database. Every write can be repeated: the second changes nothing.

Writers of one run take its row first: those that add results share it, the others have it alone.
Other rows are taken in the order of their keys, so that writers wait for each other and never
deadlock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, delete, null, select, union, update

from harness.cells import Cell
from harness.errors import SelectionError
from harness.results import Result, jsonable
from runner.core.canary import merged
from runner.core.classify import is_failure
from runner.core.runs import Canary, Progress, Run
from runner.core.schedule import Schedule
from runner.core.signature import is_current
from runner.store import reads
from runner.store.batches import Batch, batches, spooled
from runner.store.bulk import chunks, ids, insert_new, lock_out_writers
from runner.store.folding import summarise
from runner.store.lines import results_in
from runner.store.merging import merge
from runner.store.rows import MISSING_ROW
from runner.store.subscriptions import announce
from runner.store.tables import cell as cells_
from runner.store.tables import fingerprint, rerun, result, run, text, verdict
from runner.store.triages import reopen

Label = Callable[[Result], Result]
_PLANNED = ("expected", "selection", "started_at", "branch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What an ingest came to: results that were new, and those that were there already."""

    new: int
    seen: int


def open_run(  # noqa: PLR0913  (the columns of a run)
    engine: Engine,
    *,
    uid: str,
    revision: str,
    stack: Mapping[str, str],
    selection: str,
    started_at: datetime,
    cells: Iterable[Cell],
    branch: str | None = None,
) -> Run:
    """Make the run with its expected cells, all missing; a run that is there is opened again."""
    expected = sorted({cell.id for cell in cells})
    row = {
        "uid": uid,
        "revision": revision,
        "branch": branch,
        "stack": dict(stack),
        "selection": selection,
        "started_at": started_at,
        "expected": len(expected),
    }
    with engine.begin() as connection:
        insert_new(connection, run, [row])
        opened = update(run).where(run.c.uid == uid)
        # What shard results made known before their plan was has no expectation yet.
        planned = {name: row[name] for name in _PLANNED}
        connection.execute(opened.where(run.c.expected < len(expected)).values(**planned))
        connection.execute(opened.values(closed_at=None, summary=None, tally=None))
        run_id = ids(connection, run, "uid", [uid])[uid]
        known = ids(connection, cells_, "cell", expected)
        insert_new(connection, cells_, [{"cell": name} for name in expected if name not in known])
        known = ids(connection, cells_, "cell", expected)
        rows = [{"run_id": run_id, "cell_id": known[cell], **MISSING_ROW} for cell in expected]
        insert_new(connection, verdict, rows)
    return reads.run(engine, uid)


def ingest_file(engine: Engine, path: Path, *, label: Label) -> Ingested:
    """Add a file's results, of any number, in little memory.

    `RecordError` names a line that is no result, and then nothing of the file is added: the first
    pass checks every line, and keeps what is to be written in a temporary file; the second writes
    it, a batch a transaction. What an interrupt leaves is whole batches; ingest the file again.
    """
    found = (
        each if is_failure(each) and is_current(each.signature) else label(each)
        for each in results_in(path)
    )
    with spooled(batches(found)) as checked:
        return _add(engine, checked)


def ingest_results(engine: Engine, results: Iterable[Result]) -> Ingested:
    """Add results, and fold the verdicts of their cells anew."""
    return _add(engine, batches(each.replace(recipe=jsonable(each.recipe)) for each in results))


def _add(engine: Engine, made: Iterable[Batch]) -> Ingested:
    new = size = 0
    for batch in made:
        with engine.begin() as connection:
            new += merge(connection, batch)
        size += batch.size
    return Ingested(new=new, seen=size - new)


def close_run(engine: Engine, uid: str, *, closed_at: datetime, duration_s: float | None) -> Run:
    """Note when the run ended and materialise its summary; a resumed run adds its seconds.

    None if nobody knows how long it took: it ran elsewhere.
    """
    with engine.begin() as connection:
        found = connection.execute(
            select(run.c.id, run.c.duration_s).where(run.c.uid == uid)
        ).one_or_none()
        if found is None:
            raise SelectionError(f"no run {uid!r} in this database")
        known = [each for each in (found.duration_s, duration_s) if each is not None]
        total = sum(known) if known else None
        values = {"closed_at": closed_at, "duration_s": total, "progress": null()}
        connection.execute(update(run).where(run.c.id == found.id).values(**values))
        summarise(connection, found.id)
        reopen(connection, found.id)
        announce(connection, uid)
    return reads.run(engine, uid)


def note_canary(engine: Engine, uid: str, found: Canary) -> None:
    """Keep with the run how its canary went, beside what other shares of it found."""
    asked = select(run.c.canary).where(run.c.uid == uid).with_for_update()
    with engine.begin() as connection:
        before = Canary(**connection.scalar(asked) or {})
        values = {"canary": asdict(merged(before, found))}
        connection.execute(update(run).where(run.c.uid == uid).values(**values))


def note_progress(engine: Engine, uid: str, share: str, progress: Progress) -> None:
    """Keep how a share of a run goes, as it tells now; shares are told apart by their names."""
    with engine.begin() as connection:
        known = connection.scalar(select(run.c.progress).where(run.c.uid == uid).with_for_update())
        told = {**(known or {}), share: progress.to_record()}
        connection.execute(update(run).where(run.c.uid == uid).values(progress=told))


def note_schedule(engine: Engine, uid: str, found: Schedule) -> None:
    """Keep with the run how it was scheduled, unless another pass over it executed more cells."""
    asked = select(run.c.schedule).where(run.c.uid == uid).with_for_update()
    with engine.begin() as connection:
        before = connection.scalar(asked)
        if before is None or before["cells"] <= found.cells:
            values = {"schedule": asdict(found)}
            connection.execute(update(run).where(run.c.uid == uid).values(**values))


def prune(engine: Engine, *, before: datetime) -> int:
    """Remove runs that started before, and the texts that no result names any more."""
    with engine.begin() as connection:
        old = select(run.c.id).where(run.c.started_at < before).order_by(run.c.uid)
        removed = connection.scalars(old.with_for_update()).all()
        for part in chunks(removed):
            tables = (result, rerun, verdict, fingerprint)
            for key in (*(table.c.run_id for table in tables), run.c.id):
                connection.execute(delete(key.table).where(key.in_(part)))
        # A writer adds texts before the results that name them: let it finish, and others wait.
        lock_out_writers(connection, text)
        pointers = [result.c[name] for name in ("detail", "stack", "traceback", "log")]
        pointers += [rerun.c[name] for name in ("detail", "stack", "traceback", "log")]
        pointers.append(fingerprint.c.made_of)
        named = union(*(select(digest).where(digest.is_not(None)) for digest in pointers))
        connection.execute(delete(text).where(text.c.digest.not_in(named)))
    return len(removed)
