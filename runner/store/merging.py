"""Brings a batch into the tables: staged in temporary ones, then merged by a few statements.

Many merge at once, also results of one run, and of one cell:

- Everybody takes keys in one order (runs, groups, what models take, cells, texts, results,
  verdicts; each sorted), so that writers wait for each other and never deadlock.
- A verdict tells of how many attempts it was folded. That of a cell without any is what its one
  result says by itself. The statement that writes it locks the other cells' verdicts as well; they
  are folded of all attempts, those of other writers among them, which by then are committed.
"""

from typing import Any

from sqlalchemy import Boolean, Column, Connection, Executable, MetaData, Table, func, select, true

from runner.store.batches import Batch, Row
from runner.store.bulk import fill, insert_into, insert_new
from runner.store.folding import lock_run, refold, summarise
from runner.store.tables import cell, failure_group, result, run, takes, text, verdict
from runner.store.triages import reopen

_TYPES = {
    column.name: column.type
    for column in (*verdict.c, *result.c, cell.c.cell, failure_group.c.signature)
} | {"run": run.c.uid.type, "leads": Boolean()}


def _temporary(name: str, *columns: Column[Any]) -> Table:
    # SQLite keeps the rows after a commit; whoever fills the table next removes them.
    return Table(
        name, MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS"
    )


_staged = _temporary("staged_result", *(Column(name, _TYPES[name]) for name in Row._fields))
_bodies = _temporary("staged_text", *(Column(column.name, column.type) for column in text.c))

_named = (
    _staged.join(run, run.c.uid == _staged.c.run)
    .join(cell, cell.c.cell == _staged.c.cell)
    .outerjoin(failure_group, failure_group.c.signature == _staged.c.signature)
)


def merge(connection: Connection, batch: Batch) -> int:
    """Add what is new of the batch, and bring verdicts up to date; how many results were new."""
    fill(connection, _staged, batch.rows)
    fill(connection, _bodies, sorted(batch.texts.items()))
    locked = []
    for uid in sorted(batch.runs):
        insert_new(connection, run, [batch.runs[uid]])
        locked.append(lock_run(connection, uid))
    insert_new(connection, failure_group, [batch.groups[name] for name in sorted(batch.groups)])
    insert_new(
        connection,
        takes,
        [{"model_type": name, "kind": kind} for name, kind in sorted(batch.takes)],
    )
    _add_cells(connection)
    _add_texts(connection)
    new = _add_results(connection)
    if new:
        _bring_up_to_date(connection, [found.id for found in locked], new)
        for found in locked:
            if found.closed:
                summarise(connection, found.id)
                reopen(connection, found.id)
    return new


def _count(connection: Connection, statement: Executable) -> int:
    """Execute it; how many rows it wrote."""
    kept = connection.execution_options(preserve_rowcount=True)
    return kept.execute(statement).rowcount


def _add_cells(connection: Connection) -> None:
    # Asked first: each refused insert would use up a number of a small sequence.
    unknown = (
        select(_staged.c.cell)
        .outerjoin(cell, cell.c.cell == _staged.c.cell)
        .where(_staged.c.leads, cell.c.id.is_(None))
        .distinct()
        .order_by(_staged.c.cell)
    )
    made = insert_into(connection, cell).from_select(["cell"], unknown)
    connection.execute(made.on_conflict_do_nothing())


def _add_texts(connection: Connection) -> None:
    # Staged in order: sorting them here would move every body once more.
    made = insert_into(connection, text).from_select(
        _bodies.c.keys(), select(_bodies).where(true())
    )
    connection.execute(made.on_conflict_do_nothing())


def _add_results(connection: Connection) -> int:
    own = [name for name in Row._fields if name in result.c and name != "attempt"]
    staged = (
        select(run.c.id, cell.c.id, _staged.c.attempt, failure_group.c.id)
        .add_columns(*(_staged.c[name] for name in own))
        .select_from(_named)
        .order_by(run.c.id, cell.c.id, _staged.c.attempt)
    )
    columns = ["run_id", "cell_id", "attempt", "group_id", *own]
    made = insert_into(connection, result).from_select(columns, staged)
    return _count(connection, made.on_conflict_do_nothing())


def _bring_up_to_date(connection: Connection, run_ids: list[int], new: int) -> None:
    # If as many cells got their first verdict as there are new results, none has another attempt.
    if _add_verdicts(connection) == new:
        return
    for run_id in run_ids:
        refold(connection, run_id, _outdated(connection, run_id))


def _add_verdicts(connection: Connection) -> int:
    """Write the verdicts of cells that had no attempt, and lock those of the others."""
    own = [name for name in Row._fields if name in verdict.c]
    staged = (
        select(run.c.id, cell.c.id, failure_group.c.id)
        .add_columns(*(_staged.c[name] for name in own))
        .select_from(_named)
        .where(_staged.c.leads)
        .order_by(run.c.id, cell.c.id)
    )
    columns = ["run_id", "cell_id", "group_id", *own]
    made = insert_into(connection, verdict).from_select(columns, staged)
    told = {name: made.excluded[name] for name in ["group_id", *own]}
    return _count(
        connection,
        made.on_conflict_do_update(
            index_elements=["run_id", "cell_id"], set_=told, where=verdict.c.attempts == 0
        ),
    )


def _outdated(connection: Connection, run_id: int) -> list[int]:
    """The batch's cells of that run whose verdict does not count all of their attempts."""
    counted = (
        select(verdict.c.cell_id)
        .join(cell, cell.c.id == verdict.c.cell_id)
        .join(_staged, _staged.c.cell == cell.c.cell)
        .join(run, (run.c.id == verdict.c.run_id) & (run.c.uid == _staged.c.run))
        .join(
            result,
            (result.c.run_id == verdict.c.run_id) & (result.c.cell_id == verdict.c.cell_id),
        )
        .where(verdict.c.run_id == run_id, result.c.run_id == run_id, _staged.c.leads)
        .group_by(verdict.c.cell_id, verdict.c.attempts)
        .having(func.count() != verdict.c.attempts)
        .order_by(verdict.c.cell_id)
    )
    return list(connection.scalars(counted))
