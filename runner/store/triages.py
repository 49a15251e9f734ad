"""What was said of failure groups, and the log of who said it: read, and written in one breath.

A change is written together with its row in the log, and only over the version that was seen:
`ConflictError` otherwise, and then nothing of it is written.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, insert, select, update

from harness.errors import ConflictError, SelectionError
from runner.core.plain import storable
from runner.core.triage import UNTOUCHED, State, Triage, changes, comes_back, reopened
from runner.store.bulk import chunks, ids, insert_into
from runner.store.reads import read_runs, utc
from runner.store.regrouping import told_in
from runner.store.tables import failure_group, triage, triage_log
from runner.store.tables import run as runs_

#: who the machine is, in the log
MACHINE = "export-matrix"
_FIELDS = (
    *("state", "assignee", "issue", "note", "muted_until"),
    *("fixed_in", "fixed_run", "returned_run"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a group's triage."""

    signature: str
    before: Triage
    after: Triage
    action: str = "edit"
    #: a search or a SELECT that it was made over
    cells: str | None = None
    #: what the log says beside the fields that changed
    told: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the log."""

    id: int
    #: the group's name then, and now
    signature: str
    group: str
    title: str
    at: datetime
    who: str
    action: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    cells: str | None


def triages(engine: Engine, signatures: Collection[str]) -> dict[str, Triage]:
    """What was said of those groups; those of which nothing was said are left out."""
    joined = select(failure_group.c.signature, triage).join(
        triage, triage.c.group_id == failure_group.c.id
    )
    with engine.connect() as connection:
        return {
            row.signature: _read(row)
            for part in chunks(sorted(signatures))
            for row in connection.execute(joined.where(failure_group.c.signature.in_(part)))
        }


def assignees(engine: Engine) -> list[str]:
    """Everybody who has a group, in order."""
    asked = select(triage.c.assignee).where(triage.c.assignee.is_not(None)).distinct()
    with engine.connect() as connection:
        return sorted(connection.scalars(asked))


def held(connection: Connection, group_ids: Iterable[int]) -> dict[int, Triage]:
    """What was said of the groups in those rows; `UNTOUCHED` where nothing was."""
    wanted = sorted(set(group_ids))
    found = dict.fromkeys(wanted, UNTOUCHED)
    for part in chunks(wanted):
        told = connection.execute(select(triage).where(triage.c.group_id.in_(part)))
        found |= {row.group_id: _read(row) for row in told}
    return found


def _read(row: Row[Any]) -> Triage:
    told: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    told["state"] = State(row.state)
    return Triage(
        **told, version=row.version, changed_at=utc(row.changed_at), changed_by=row.changed_by
    )


def write(
    engine: Engine,
    signatures: Sequence[str],
    decide: Callable[[Mapping[str, Triage]], Sequence[Change]],
    *,
    who: str,
    also: Callable[[Connection, Mapping[str, int]], None] | None = None,
) -> None:
    """Write what is decided by what was said of these groups, and log it: all or nothing.

    `also` is done within the same transaction, with the rows of the groups by name.
    `SelectionError` names a group that there is not.
    """
    with engine.begin() as connection:
        rows = ids(connection, failure_group, "signature", signatures)
        for name in signatures:
            if name not in rows:
                raise SelectionError(f"no failure group {name!r}; see /groups")
        said = held(connection, rows.values())
        made = decide({name: said[row] for name, row in rows.items()})
        if also is not None:
            also(connection, rows)
        save(connection, made, rows, who=who)


def save(
    connection: Connection, made: Sequence[Change], rows: Mapping[str, int], *, who: str
) -> None:
    """Write changes and log them; `ConflictError` names those that came too late."""
    now = datetime.now(UTC)
    late = [
        each.signature for each in made if not _write(connection, each, rows[each.signature], who)
    ]
    if late:
        raise ConflictError(*late)
    logged = [_logged(each, rows[each.signature], who, now) for each in made]
    if logged:
        connection.execute(insert(triage_log), logged)


def _write(connection: Connection, change: Change, group_id: int, who: str) -> bool:
    """Whether it was still as it was seen."""
    if not any(changes(change.before, change.after)):
        return True
    values = {name: getattr(change.after, name) for name in _FIELDS}
    values |= {
        "version": change.before.version + 1,
        "changed_at": datetime.now(UTC),
        "changed_by": who[:100],
    }
    kept = connection.execution_options(preserve_rowcount=True)
    if change.before.version == 0:
        made = insert_into(connection, triage).on_conflict_do_nothing()
        return kept.execute(made.values(group_id=group_id, **values)).rowcount == 1
    here = (triage.c.group_id == group_id, triage.c.version == change.before.version)
    return kept.execute(update(triage).where(*here).values(**values)).rowcount == 1


def _logged(change: Change, group_id: int, who: str, now: datetime) -> dict[str, Any]:
    before, after = changes(change.before, change.after)
    return {
        "group_id": group_id,
        "signature": change.signature,
        "at": now,
        "who": who[:100],
        "action": change.action,
        "before": dict(before),
        "after": {**after, **(change.told or {})},
        "cells": change.cells,
    }


_LOG = select(triage_log, failure_group.c.signature.label("group"), failure_group.c.title).join(
    failure_group, failure_group.c.id == triage_log.c.group_id
)


def log(
    engine: Engine,
    *,
    signature: str | None = None,
    who: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest rows of the log, newest first; of a group, or of somebody."""
    asked = _LOG.order_by(triage_log.c.id.desc()).limit(limit)
    if signature is not None:
        own = select(failure_group.c.id).where(failure_group.c.signature == storable(signature))
        asked = asked.where(triage_log.c.group_id == own.scalar_subquery())
    if who is not None:
        asked = asked.where(triage_log.c.who == storable(who))
    if before_id is not None:
        asked = asked.where(triage_log.c.id < before_id)
    return _entries(engine, asked)


def _entries(engine: Engine, asked: Select[Any]) -> list[Entry]:
    with engine.connect() as connection:
        rows = connection.execute(asked).mappings().all()
    names = [each.name for each in fields(Entry)]
    return [Entry(**{name: row[name] for name in names} | {"at": utc(row["at"])}) for row in rows]


def reopen(connection: Connection, run_id: int) -> None:
    """Reopen what was called fixed and has cells in that run, if it is one that tells of fixes."""
    fixed = (
        select(triage, failure_group.c.signature)
        .join(failure_group, failure_group.c.id == triage.c.group_id)
        .where(triage.c.state == State.FIXED.value)
        .with_for_update(of=triage)
    )
    rows = {row.signature: row for row in connection.execute(fixed)}
    there = told_in(connection, run_id, rows) if rows else frozenset()
    if not there:
        return
    [run] = read_runs(connection, select(runs_).where(runs_.c.id == run_id))
    known = {signature: _read(rows[signature]) for signature in sorted(there)}
    back = [
        Change(signature=name, before=found, after=reopened(found, run), action="reopen")
        for name, found in known.items()
        if comes_back(found, run)
    ]
    save(connection, back, {name: row.group_id for name, row in rows.items()}, who=MACHINE)
