"""Everything that changes the database. Every write can be repeated: the second changes nothing.

Writers of one run take its row first, so that each folds what the others before it wrote. Other
rows are taken in the order of their keys, so that writers wait for each other and never deadlock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, select, union, update

from harness.cells import Cell
from harness.errors import RecordError, SelectionError
from harness.results import Result
from runner.core.classify import classify
from runner.core.runs import Run
from runner.core.verdict import fold
from runner.store import reads
from runner.store.attempts import StoredFailure, attempts_of, failures_after
from runner.store.bulk import chunks, ids, insert_new, upsert
from runner.store.rows import MISSING_ROW, detail, digest, storable, verdict_row
from runner.store.tables import cell as cells_
from runner.store.tables import failure_group, fingerprint, result, run, text, verdict

Label = Callable[[Result], Result]


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
) -> Run:
    """Make the run with its expected cells, all missing; a run that is there is opened again."""
    expected = sorted({cell.id for cell in cells})
    row = {
        "uid": uid,
        "revision": revision,
        "stack": dict(stack),
        "selection": selection,
        "started_at": started_at,
        "expected": len(expected),
    }
    with engine.begin() as connection:
        insert_new(connection, run, [row])
        opened = update(run).where(run.c.uid == uid)
        # A run that shard results made known before its plan was has no expectation yet.
        connection.execute(
            opened.where(run.c.expected < len(expected)).values(expected=len(expected))
        )
        connection.execute(opened.values(closed_at=None, summary=None))
        run_id = ids(connection, run, "uid", [uid])[uid]
        known = _cell_ids(connection, expected)
        rows = [{"run_id": run_id, "cell_id": known[cell], **MISSING_ROW} for cell in expected]
        insert_new(connection, verdict, rows)
    return reads.run(engine, uid)


def _cell_ids(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    insert_new(connection, cells_, [{"cell": name} for name in sorted(set(names))])
    return ids(connection, cells_, "cell", names)


def ingest_file(engine: Engine, path: Path, *, label: Label) -> Ingested:
    """Add a file's results, all or none; `RecordError` names the line that is no result."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"can't read {path}: {error}") from None
    results = [_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return ingest_results(engine, [found if found.signature else label(found) for found in results])


def _line(path: Path, number: int, line: str) -> Result:
    try:
        found = Result.from_line(line)
    except RecordError as error:
        raise RecordError(f"{path}:{number}: {error}; nothing of the file was ingested") from None
    if not found.run:
        raise RecordError(f"{path}:{number}: the result names no run; nothing was ingested")
    return found


def ingest_results(engine: Engine, results: Sequence[Result]) -> Ingested:
    """Add results in one transaction, and fold the verdicts of their cells anew."""
    by_run: dict[str, list[Result]] = defaultdict(list)
    for found in results:
        by_run[found.run].append(found)
    new = 0
    with engine.begin() as connection:
        for uid in sorted(by_run):
            new += _ingest_run(connection, uid, by_run[uid])
    return Ingested(new=new, seen=len(results) - new)


def _ingest_run(connection: Connection, uid: str, results: Sequence[Result]) -> int:
    run_id, stack = _known_run(connection, uid, results[0])
    cell_ids = _cell_ids(connection, [found.cell.id for found in results])
    groups = _group_ids(connection, results)
    texts = _text_ids(connection, results, stack)
    rows = [
        {
            "run_id": run_id,
            "cell_id": cell_ids[found.cell.id],
            "attempt": found.attempt,
            "outcome": found.outcome.value,
            "stage": found.stage,
            "group_id": groups.get(found.signature or ""),
            "detail_id": texts[digest(detail(found, stack=stack))],
            "traceback_id": _text_id(texts, found.traceback),
            "log_id": _text_id(texts, found.log_tail),
        }
        for found in sorted(results, key=lambda found: (found.cell, found.attempt))
    ]
    new = insert_new(connection, result, rows)
    if new:
        _refold(connection, run_id, sorted(cell_ids.values()))
    return new


def _known_run(connection: Connection, uid: str, sample: Result) -> tuple[int, Mapping[str, str]]:
    """The run's id and stack; one that was made elsewhere is known from now on, without a plan."""
    row = {
        "uid": uid,
        "revision": sample.revision,
        "stack": dict(sample.stack),
        "selection": "",
        "started_at": datetime.now(UTC),
        "expected": 0,
    }
    insert_new(connection, run, [row])
    asked = select(run.c.id, run.c.stack).where(run.c.uid == uid).with_for_update()
    found = connection.execute(asked).one()
    return found.id, found.stack


def _group_ids(connection: Connection, results: Iterable[Result]) -> dict[str, int]:
    groups = {
        found.signature: {
            "signature": found.signature,
            "title": storable(found.title or ""),
            "kind": found.kind or "unclassified",
            "owner": classify(found).owner,
            "stage": found.stage,
        }
        for found in results
        if found.signature
    }
    insert_new(connection, failure_group, [groups[name] for name in sorted(groups)])
    return ids(connection, failure_group, "signature", list(groups))


def _text_ids(
    connection: Connection, results: Iterable[Result], stack: Mapping[str, str]
) -> dict[str, int]:
    bodies = [
        storable(body)
        for found in results
        for body in (detail(found, stack=stack), found.traceback, found.log_tail)
        if body
    ]
    rows = {digest(body): body for body in bodies}
    insert_new(connection, text, [{"sha256": key, "body": rows[key]} for key in sorted(rows)])
    return ids(connection, text, "sha256", list(rows))


def _text_id(texts: Mapping[str, int], body: str | None) -> int | None:
    return texts[digest(storable(body))] if body else None


def _refold(connection: Connection, run_id: int, cell_ids: Sequence[int]) -> None:
    """Fold all attempts of these cells again; a closed run's summary follows."""
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
    closed = select(run.c.closed_at).where(run.c.id == run_id)
    if connection.scalar(closed) is not None:
        _summarise(connection, run_id)


def _summarise(connection: Connection, run_id: int) -> None:
    counts = reads.verdict_counts(connection, [run_id]).get(run_id, {})
    connection.execute(update(run).where(run.c.id == run_id).values(summary=counts))


def close_run(engine: Engine, uid: str, *, closed_at: datetime, duration_s: float) -> Run:
    """Note when the run ended and materialise its summary; a resumed run adds its seconds."""
    with engine.begin() as connection:
        found = connection.execute(
            select(run.c.id, run.c.duration_s).where(run.c.uid == uid)
        ).one_or_none()
        if found is None:
            raise SelectionError(f"no run {uid!r} in this database")
        total = (found.duration_s or 0.0) + duration_s
        values = {"closed_at": closed_at, "duration_s": total}
        connection.execute(update(run).where(run.c.id == found.id).values(**values))
        _summarise(connection, found.id)
    return reads.run(engine, uid)


def resign(engine: Engine, label: Label) -> int:
    """Label all stored failures again; the number of results whose group changed."""
    changed, last = 0, 0
    while True:
        with engine.begin() as connection:
            batch = failures_after(connection, last)
            if not batch:
                return changed
            last = batch[-1].id
            changed += _resign_batch(connection, batch, label)


def _resign_batch(connection: Connection, batch: Sequence[StoredFailure], label: Label) -> int:
    again = {item.id: label(item.result) for item in batch}
    groups = _group_ids(connection, again.values())
    moved = [item for item in batch if again[item.id].signature != item.result.signature]
    touched: dict[int, set[int]] = defaultdict(set)
    for item in moved:
        group_id = groups.get(again[item.id].signature or "")
        connection.execute(update(result).where(result.c.id == item.id).values(group_id=group_id))
        touched[item.run_id].add(item.cell_id)
    for run_id in sorted(touched):
        connection.execute(select(run.c.id).where(run.c.id == run_id).with_for_update())
        _refold(connection, run_id, sorted(touched[run_id]))
    return len(moved)


def prune(engine: Engine, *, before: datetime) -> int:
    """Remove runs that started before, and the texts that no result names any more."""
    with engine.begin() as connection:
        removed = connection.execute(delete(run).where(run.c.started_at < before)).rowcount
        named = union(
            select(result.c.detail_id),
            select(result.c.traceback_id).where(result.c.traceback_id.is_not(None)),
            select(result.c.log_id).where(result.c.log_id.is_not(None)),
            select(fingerprint.c.made_of_id),
        )
        connection.execute(delete(text).where(text.c.id.not_in(named)))
    return removed
