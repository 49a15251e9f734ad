"""A copy of what may be seen of a database, as a SQLite file that `serve` opens.

Copied is what this list names, so that a table that is new is not given away by being forgotten: no
tokens, sessions, deliveries, subscriptions or work. Of the runs, the newest; of long texts, those
that they point to.
"""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, Select, Table, insert, select, union

from runner.store.engine import ensure
from runner.store.tables import (
    bisect,
    cell,
    failure_group,
    fingerprint,
    group_alias,
    regroup,
    rerun,
    result,
    run,
    selfcheck,
    takes,
    text,
    triage,
    triage_log,
    verdict,
)

_WHOLE = (cell, failure_group, takes, bisect, selfcheck, triage, triage_log, regroup, group_alias)
_OF_RUNS = (verdict, result, rerun, fingerprint)
_POINTERS = ("detail", "stack", "traceback", "log", "made_of")
_AT_ONCE = 2000


def snapshot(engine: Engine, path: Path, *, runs: int) -> None:
    """Write the copy, of so many runs; all of it is of one moment."""
    made = ensure(f"sqlite:///{path}")
    try:
        with _moment(engine) as source, made.begin() as copy:
            newest = select(run.c.id).order_by(run.c.id.desc()).limit(runs)
            ids = source.scalars(newest).all()
            for table, asked in _asked(ids):
                found = source.execution_options(yield_per=_AT_ONCE).execute(asked)
                for part in found.mappings().partitions(_AT_ONCE):
                    copy.execute(insert(table), [dict(row) for row in part])
        with made.connect().execution_options(isolation_level="AUTOCOMMIT") as copy:
            # One file, without what would lie beside it while it is written.
            copy.exec_driver_sql("PRAGMA journal_mode=DELETE")
    finally:
        made.dispose()


def _moment(engine: Engine) -> Connection:
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    return engine.connect().execution_options(isolation_level=level)


def _asked(ids: object) -> Iterator[tuple[Table, Select[tuple[object, ...]]]]:
    yield run, select(run).where(run.c.id.in_(ids))  # type: ignore[arg-type]  # numbers
    for table in _WHOLE:
        yield table, select(table)
    for table in _OF_RUNS:
        yield table, select(table).where(table.c.run_id.in_(ids))  # type: ignore[arg-type]
    named = union(
        *(
            select(table.c[name]).where(table.c.run_id.in_(ids))  # type: ignore[arg-type]
            for table in _OF_RUNS
            for name in _POINTERS
            if name in table.c
        )
    )
    yield text, select(text).where(text.c.digest.in_(named))
