"""Merges and splits of failure groups, and groups read as they are told.

Verdicts keep the group that they were signed into; what a group's cells are told as is decided
when they are read (`runner.core.regrouping`). There are few rules: all are read at once.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.sql import ColumnElement

from harness.cells import Cell
from harness.errors import TriageError
from runner.core.plain import storable
from runner.core.query.reader import parse
from runner.core.regrouping import Regrouping, Rule
from runner.core.runs import CellVerdict, FailureGroup, Run
from runner.store import reads
from runner.store.bulk import chunks, ids, insert_new
from runner.store.moved import Seen, groups_seen
from runner.store.tables import cell as cells_
from runner.store.tables import failure_group, group_alias, regroup
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

_from, _into = failure_group.alias("source"), failure_group.alias("target")


def rules_of(connection: Connection) -> Regrouping:
    """All rules there are."""
    asked = (
        select(_from.c.signature, _into.c.signature.label("into"), regroup.c.cells)
        .join(_from, _from.c.id == regroup.c.from_id)
        .join(_into, _into.c.id == regroup.c.into_id)
        .order_by(regroup.c.id)
    )
    return Regrouping(
        tuple(
            Rule(
                group=row.signature,
                into=row.into,
                cells=None if row.cells is None else parse(row.cells),
            )
            for row in connection.execute(asked)
        )
    )


def regrouping(engine: Engine) -> Regrouping:
    with engine.connect() as connection:
        return rules_of(connection)


def told_in(connection: Connection, run_id: int, signatures: Collection[str]) -> frozenset[str]:
    """Which of these groups have cells in a run, as they are told."""
    rules = rules_of(connection)
    sources = sorted({each for signature in signatures for each in rules.sources(signature)})
    found = {
        rules.of(row.signature, Cell.parse(row.cell))
        for part in chunks(sources)
        for row in connection.execute(
            select(failure_group.c.signature, cells_.c.cell)
            .join(verdicts_, verdicts_.c.group_id == failure_group.c.id)
            .join(cells_, cells_.c.id == verdicts_.c.cell_id)
            .where(verdicts_.c.run_id == run_id, failure_group.c.signature.in_(part))
        )
    }
    return frozenset(found & set(signatures))


# ── changes ─────────────────────────────────────────────────────────────────────────────────────
Also = Callable[[Connection, Mapping[str, int]], None]


def adding(group: str, into: str, cells: str | None = None) -> Also:
    """Has the cells of one group, or those that a SELECT means, told as another."""

    def add(connection: Connection, rows: Mapping[str, int]) -> None:
        row = {"from_id": rows[group], "into_id": rows[into], "cells": cells}
        connection.execute(insert(regroup).values(**row))

    return add


def removing(group: str, into: str) -> Also:
    """Takes that back; `TriageError` if nothing is told so."""

    def remove(connection: Connection, rows: Mapping[str, int]) -> None:
        here = (regroup.c.from_id == rows[group], regroup.c.into_id == rows[into])
        kept = connection.execution_options(preserve_rowcount=True)
        if not kept.execute(delete(regroup).where(*here)).rowcount:
            raise TriageError(f"nothing of {group} is told as {into}")

    return remove


def new_part(engine: Engine, group: FailureGroup, title: str) -> str:
    """A group beside that one, for cells that are split from it; its signature."""
    beside = failure_group.c.signature.startswith(f"{group.signature}.", autoescape=True)
    with engine.begin() as connection:
        number = 2 + (connection.scalar(select(func.count()).where(beside)) or 0)
        row = {
            "signature": f"{group.signature}.{number}",
            "title": title,
            "kind": group.kind,
            "owner": group.owner,
            "stage": group.stage,
        }
        connection.execute(insert(failure_group).values(**row))
        return str(row["signature"])


def remember_names(connection: Connection, names: Iterable[tuple[str, int]]) -> None:
    """Keep (former name, the row of the group that it means now)."""
    rows = [{"signature": name, "group_id": group_id} for name, group_id in names]
    taken = [row["signature"] for row in rows]
    for part in chunks(taken):
        connection.execute(delete(group_alias).where(group_alias.c.signature.in_(part)))
    insert_new(connection, group_alias, rows)


# ── questions ───────────────────────────────────────────────────────────────────────────────────
def groups(engine: Engine, run_id: int) -> list[FailureGroup]:
    """The failure groups of a run as they are told, the one with the most cells first."""
    signed = reads.groups(engine, run_id)
    rules = regrouping(engine)
    if not rules.rules:
        return signed
    counts: dict[str, int] = {}
    for group in signed:
        if rules.divided([group.signature, rules.whole(group.signature)]):
            for found in reads.group_cells(engine, group.signature, run_id=run_id):
                told = rules.of(group.signature, found.cell)
                counts[told] = counts.get(told, 0) + 1
        else:
            told = rules.whole(group.signature)
            counts[told] = counts.get(told, 0) + group.cells
    known = {group.signature: group for group in signed}
    known |= {name: _named(engine, name) for name in counts if name not in known}
    found_ = [replace(known[name], cells=count) for name, count in counts.items()]
    return sorted(found_, key=lambda group: (-group.cells, group.signature))


def first_seen(engine: Engine, run_id: int) -> list[Seen]:
    """A run's groups as they are told, the one with most cells first, and when each began."""
    signed = groups_seen(engine, run_id)
    rules = regrouping(engine).rules
    if not rules:
        return signed
    touched = {name for rule in rules for name in (rule.group, rule.into)}
    known = {each.signature: each for each in signed if each.signature not in touched}
    return [known.get(group.signature) or _seen(engine, group) for group in groups(engine, run_id)]


def _seen(engine: Engine, group: FailureGroup) -> Seen:
    life = span(engine, membership(engine, group.signature))
    assert life is not None  # noqa: S101  (a run has it)
    return Seen(
        signature=group.signature,
        title=group.title,
        kind=group.kind,
        cells=group.cells,
        first_run=life.first.id,
        first_seen=life.first.started_at,
    )


def _named(engine: Engine, signature: str) -> FailureGroup:
    found = reads.named_group(engine, signature)
    assert found is not None  # noqa: S101  (groups are never removed)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Whose cells a group is told of: the rows that they were signed into, and which of those."""

    signature: str
    rules: Regrouping
    group_ids: tuple[int, ...]
    #: None for all
    cell_ids: tuple[int, ...] | None

    @property
    def inside(self) -> ColumnElement[bool]:
        return self._of(verdicts_.c.group_id.in_(self.group_ids))

    @property
    def each_inside(self) -> list[ColumnElement[bool]]:
        """The same, by row."""
        return [self._of(verdicts_.c.group_id == number) for number in self.group_ids]

    def _of(self, here: ColumnElement[bool]) -> ColumnElement[bool]:
        return here if self.cell_ids is None else here & verdicts_.c.cell_id.in_(self.cell_ids)


def membership(engine: Engine, signature: str) -> Membership:
    with engine.connect() as connection:
        rules = rules_of(connection)
        sources = rules.sources(signature)
        rows = ids(connection, failure_group, "signature", sources)
        cells = None
        if rules.divided(sources):
            signed = (
                select(verdicts_.c.cell_id, verdicts_.c.group_id, cells_.c.cell)
                .join(cells_, cells_.c.id == verdicts_.c.cell_id)
                .where(verdicts_.c.group_id.in_(rows.values()))
                .distinct()
            )
            names = {row: name for name, row in rows.items()}
            cells = tuple(
                cell_id
                for cell_id, group_id, cell in connection.execute(signed)
                if rules.of(names[group_id], Cell.parse(cell)) == signature
            )
    return Membership(
        signature=signature, rules=rules, group_ids=tuple(sorted(rows.values())), cell_ids=cells
    )


def cells_in(engine: Engine, told: Membership, run_id: int) -> list[CellVerdict]:
    """The cells of a group in a run, each with the group that it was signed into."""
    sources = told.rules.sources(told.signature)
    found = [
        each
        for name in sources
        for each in reads.group_cells(engine, name, run_id=run_id)
        if told.rules.of(name, each.cell) == told.signature
    ]
    return sorted(found, key=lambda each: each.cell)


def runs_of(engine: Engine, told: Membership, *, limit: int = 30) -> list[tuple[Run, int]]:
    """(run, cells of the group in it), newest first."""
    found: dict[int, Run] = {}
    counts: Counter[int] = Counter()
    for name in told.rules.sources(told.signature):
        for run, count in reads.group_runs(engine, name, limit=limit):
            found[run.id] = run
            counts[run.id] += count
    if told.cell_ids is not None:
        asked = (
            select(verdicts_.c.run_id, func.count())
            .where(told.inside, verdicts_.c.run_id.in_(found))
            .group_by(verdicts_.c.run_id)
        )
        with engine.connect() as connection:
            counts = Counter(dict(connection.execute(asked).all()))
    return [(found[number], counts[number]) for number in sorted(counts, reverse=True)][:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The first and the last run that has a group, and the last complete one before the first."""

    first: Run
    last: Run
    good: Run | None


def span(engine: Engine, told: Membership) -> Span | None:
    """None if no run has it."""
    with engine.connect() as connection:
        ends = [
            # Each by itself is one look into the index.
            connection.scalar(select(end(verdicts_.c.run_id)).where(inside))
            for inside in told.each_inside
            for end in (func.min, func.max)
        ]
        known = [number for number in ends if number is not None]
        if not known:
            return None
        first, last = min(known), max(known)
        asked = select(runs_).where(runs_.c.id.in_([first, last]))
        found = {run.id: run for run in reads.read_runs(connection, asked)}
    good = reads.previous_complete(engine, found[first])
    return Span(first=found[first], last=found[last], good=good)


def became(engine: Engine, name: str) -> str | None:
    """The name of the group that one of that name is told as now, if it is another."""
    name = storable(name)
    with engine.connect() as connection:
        rules = rules_of(connection)
        former = (
            select(failure_group.c.signature)
            .join(group_alias, group_alias.c.group_id == failure_group.c.id)
            .where(group_alias.c.signature == name)
        )
        row = ids(connection, failure_group, "signature", [name]).get(name)
        own = verdicts_.c.group_id == row
        lives = row and connection.scalar(select(verdicts_.c.run_id).where(own).limit(1))
        known = name if lives else connection.scalar(former) or name
    now = rules.whole(known)
    return None if now == name else now
