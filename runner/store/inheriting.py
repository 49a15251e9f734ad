"""What was said of failure groups, after their signatures changed (`runner.core.succession`).

What people said hangs on a group's row and goes on with it under its new name. Here the rest: of a
group that is merged away what was said goes to the one that has its results now as well; what
people merged and split follows; and the former names lead to what became of them.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, select, update

from runner.core.succession import Succession
from runner.core.triage import merged
from runner.store.bulk import ids
from runner.store.regrouping import remember_names
from runner.store.tables import failure_group, regroup
from runner.store.triages import MACHINE, Change, held, save


def inherit(connection: Connection, found: Succession, before: Mapping[str, int]) -> None:
    """`before` has the row of each group under its former name; the new names are given already."""
    became = {old: _heir(found, old) for old in before}
    rows = ids(connection, failure_group, "signature", [new for new in became.values() if new])
    gone = {old: rows[new] for old, new in became.items() if new in rows and old not in found.heirs}
    _say_again(connection, found, before, rows)
    _follow(connection, {before[old]: row for old, row in gone.items()})
    names = {old: before[old] for old in found.renamed if old in before} | gone
    remember_names(connection, names.items())
    _rename_parts(connection, {old: new for old, new in found.renamed.items() if old in before})


def _heir(found: Succession, old: str) -> str | None:
    """The group that has most of the results of one, by its new name."""
    if old in found.heirs:
        return found.heirs[old]
    if old in found.split:
        return found.split[old][0]
    return next((new for new, olds in found.merged.items() if old in olds), None)


def _say_again(
    connection: Connection, found: Succession, before: Mapping[str, int], rows: Mapping[str, int]
) -> None:
    """Add what was said of those that are merged away to what was said of those that go on."""
    said = held(connection, before.values())
    made = []
    for new, olds in found.merged.items():
        if new not in rows:
            continue
        one = after = said.get(rows[new]) or held(connection, [rows[new]])[rows[new]]
        gone = [old for old in olds if old not in found.heirs and old in before]
        for old in gone:
            after = merged(after, said[before[old]], name=old)
        if after != one:
            told = {"merged": ", ".join(gone)}
            made.append(Change(signature=new, before=one, after=after, action="resign", told=told))
    save(connection, made, rows, who=MACHINE)


def _follow(connection: Connection, gone: Mapping[int, int]) -> None:
    """Have merges into, and splits of, groups that are gone speak of those with their results."""
    for row, heir in gone.items():
        into = update(regroup).where(regroup.c.into_id == row)
        connection.execute(into.values(into_id=heir))
        parts = update(regroup).where(regroup.c.from_id == row, regroup.c.cells.is_not(None))
        connection.execute(parts.values(from_id=heir))
    if gone:
        connection.execute(delete(regroup).where(regroup.c.from_id == regroup.c.into_id))


def _rename_parts(connection: Connection, renamed: Mapping[str, str]) -> None:
    """Groups that were split from one are called after it."""
    parts = select(failure_group.c.id, failure_group.c.signature).where(
        failure_group.c.id.in_(select(regroup.c.into_id)), failure_group.c.signature.contains(".")
    )
    named = {
        row.signature: (row.id, renamed[whole] + dot + number)
        for row in connection.execute(parts)
        for whole, dot, number in [row.signature.partition(".")]
        if whole in renamed
    }
    if named:
        here = update(failure_group).where(failure_group.c.id == bindparam("row"))
        told = [{"row": row, "name": name} for row, name in named.values()]
        connection.execute(here.values(signature=bindparam("name")), told)
        remember_names(connection, [(old, row) for old, (row, _) in named.items()])
