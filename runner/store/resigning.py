"""Labels stored failures again, after rules or the signature changed; groups keep what was said.

1. Read all failures: which signature each would have now, and by that what becomes of the groups
   (`runner.core.succession`). Nothing is written, and if nothing changed that is all.
2. Give the groups their new signatures, in one transaction that writers wait for.
3. Read all failures again, also those that came in between, and move each to its group, a batch a
   transaction.

What an interrupt leaves is a step or whole batches; signing again goes on from there. A long text
is read and labelled once, however many results have it.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, bindparam, func, select, tuple_, update

from harness.results import Result
from runner.core.classify import classify
from runner.core.signature import is_current
from runner.core.succession import Succession, succession
from runner.store.bulk import chunks, ids, insert_new, lock_out_writers
from runner.store.folding import refold
from runner.store.inheriting import inherit
from runner.store.rows import Parts, group_row, whole
from runner.store.tables import failure_group, result, run, text, verdict

Label = Callable[[Result], Result]
#: told how many failures were read since it was last called
OnRead = Callable[[int], None]

_BATCH = 1000
#: fields of a result's detail that no label is made of
_VARIES = frozenset(
    {"attempt", "carried_from", "cpu_s", "durations_s", "peak_rss_bytes"}
    | {"recipe", "revision", "stack"}
)
_BEGINNING = (0, 0, 0)

_FAILURES = (
    select(
        result.c.run_id,
        result.c.cell_id,
        result.c.attempt,
        result.c.traceback,
        result.c.log,
        text.c.body.label("detail"),
        failure_group.c.signature,
        verdict.c.attempts,
        verdict.c.kind,
        verdict.c.suspect,
        (verdict.c.group_id == result.c.group_id).label("tells"),
    )
    .join(text, text.c.digest == result.c.detail)
    .join(failure_group, failure_group.c.id == result.c.group_id)
    .join(verdict, (verdict.c.run_id == result.c.run_id) & (verdict.c.cell_id == result.c.cell_id))
)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the rules say of a failure now: its group's row, and whether it is trusted."""

    group: Mapping[str, Any]
    suspect: bool

    @property
    def signature(self) -> str:
        found: str = self.group["signature"]
        return found


@dataclass(frozen=True, slots=True)
class _Failure:
    """A stored failure with the key of its row, and what is said of it now."""

    key: tuple[int, int, int]
    signature: str
    #: that its cell's verdict counts
    attempts: int
    said: _Said
    #: whether it is in another group now, or its cell's verdict says of its group what no longer is
    moves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resigned:
    """What signing again came to: the results that moved, and what became of their groups."""

    moved: int
    groups: Succession


def resign(engine: Engine, label: Label, *, on_read: OnRead = lambda _: None) -> Resigned:
    """Label all stored failures again, and bring groups and verdicts up to date."""
    labels = _Labels(label)
    moves: Counter[tuple[str, str]] = Counter()
    rows: dict[str, Mapping[str, Any]] = {}
    changed = False
    for batch in _read(engine, labels, on_read):
        for item in batch:
            moves[item.signature, item.said.signature] += 1
            rows.setdefault(item.said.signature, item.said.group)
            changed = changed or item.moves
    found = succession(moves)
    with engine.begin() as connection:
        lock_out_writers(connection, failure_group)
        before = ids(connection, failure_group, "signature", [old for old, _ in moves])
        _rename(connection, found, rows)
        inherit(connection, found, before)
    moved = 0
    if changed:
        for batch in _read(engine, labels, on_read):
            if moving := [item for item in batch if item.moves]:
                with engine.begin() as connection:
                    moved += _move(connection, moving)
    return Resigned(moved=moved, groups=found)


def failures(engine: Engine) -> int:
    """How many stored failures there are to be read."""
    with engine.connect() as connection:
        counted = select(func.count()).select_from(result).where(result.c.group_id.is_not(None))
        return connection.scalar(counted) or 0


def outdated(engine: Engine) -> int:
    """How many groups of stored failures another version of the signature has named."""
    with engine.connect() as connection:
        asked = select(failure_group.c.signature).where(
            select(verdict.c.run_id).where(verdict.c.group_id == failure_group.c.id).exists()
        )
        return sum(not is_current(signature) for signature in connection.scalars(asked))


class _Labels:
    """Labels failures, each distinct one once: nights are much alike."""

    def __init__(self, label: Label) -> None:
        self._label = label
        self._known: dict[tuple[object, ...], _Said] = {}

    def of(self, connection: Connection, rows: Sequence[Any]) -> list[_Failure]:
        """The failures in rows of `_FAILURES`."""
        keys = [_key(row) for row in rows]
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in self._known}
        wanted = {digest for row in new.values() for digest in (row.traceback, row.log) if digest}
        bodies = _bodies(connection, sorted(wanted))
        for key, row in new.items():
            labelled = self._label(_unlabelled(row, bodies))
            self._known[key] = _Said(group_row(labelled), classify(labelled).suspect)
        return [_failure(row, self._known[key]) for row, key in zip(rows, keys, strict=True)]


def _failure(row: Any, said: _Said) -> _Failure:  # noqa: ANN401  (a row of `_FAILURES`)
    stale = row.tells and (row.kind, row.suspect) != (said.group["kind"], said.suspect)
    return _Failure(
        key=(row.run_id, row.cell_id, row.attempt),
        signature=row.signature,
        attempts=row.attempts,
        said=said,
        moves=stale or row.signature != said.signature,
    )


def _key(row: Any) -> tuple[str | bytes, str | None, str | None]:  # noqa: ANN401  (of `_FAILURES`)
    """What a label is made of, in few bytes: the failure without what differs each night."""
    said: str | bytes = row.detail
    with contextlib.suppress(orjson.JSONDecodeError):  # lone surrogates
        record = orjson.loads(row.detail)
        kept = {name: value for name, value in record.items() if name not in _VARIES}
        said = hashlib.sha256(orjson.dumps(kept)).digest()
    return said, row.traceback, row.log


def _unlabelled(row: Any, bodies: Mapping[str, str]) -> Result:  # noqa: ANN401  (of `_FAILURES`)
    """The result as it was before it was labelled."""
    return whole(
        Parts(
            detail=row.detail,
            run="",
            stack={},
            traceback=bodies.get(row.traceback),
            log=bodies.get(row.log),
            signature=None,
            title=None,
            kind=None,
        )
    )


def _bodies(connection: Connection, digests: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in chunks(digests):
        asked = select(text.c.digest, text.c.body).where(text.c.digest.in_(part))
        found |= dict(connection.execute(asked).all())
    return found


def _read(engine: Engine, labels: _Labels, on_read: OnRead) -> Iterator[list[_Failure]]:
    """All failures in the order of their keys; each batch is one short read."""
    key = tuple_(result.c.run_id, result.c.cell_id, result.c.attempt)
    last = _BEGINNING
    while True:
        with engine.connect() as connection:
            asked = _FAILURES.where(key > tuple_(*last)).order_by(*key.clauses).limit(_BATCH)
            rows = connection.execute(asked).all()
            if not rows:
                return
            batch = labels.of(connection, rows)
        on_read(len(batch))
        last = batch[-1].key
        yield batch


def _rename(
    connection: Connection, found: Succession, rows: Mapping[str, Mapping[str, Any]]
) -> None:
    """Give each group that goes on its new signature and what is said of it now.

    A row that has that signature already takes the other's in exchange: rows are never removed.
    """
    renamed = found.renamed
    held = ids(connection, failure_group, "signature", [*renamed, *renamed.values()])
    takes = {held[old]: new for old, new in renamed.items()}
    displaced = [held[new] for new in renamed.values() if new in held and new not in renamed]
    given_up = sorted(set(renamed) - set(renamed.values()), key=lambda name: (name in rows, name))
    takes |= dict(zip(sorted(displaced), given_up, strict=False))
    _set_signatures(connection, takes)
    insert_new(connection, failure_group, [rows[name] for name in sorted(rows)])
    columns = ("title", "kind", "owner", "stage")
    named = update(failure_group).where(failure_group.c.signature == bindparam("named"))
    values: dict[str, Any] = {name: bindparam(f"now_{name}") for name in columns}
    told = [
        {"named": name, **{f"now_{column}": rows[name][column] for column in columns}}
        for name in sorted(rows)
    ]
    if told:
        connection.execute(named.values(**values), told)


def _set_signatures(connection: Connection, takes: Mapping[int, str]) -> None:
    """Set signatures by row, also in a circle: no two rows may have one at any moment."""
    if not takes:
        return
    here = update(failure_group).where(failure_group.c.id == bindparam("row"))
    aside = here.values(signature=bindparam("taken"))
    for names in ({row: f"~{row}" for row in takes}, takes):
        connection.execute(aside, [{"row": row, "taken": names[row]} for row in sorted(names)])


def _move(connection: Connection, moving: Sequence[_Failure]) -> int:
    """Bring results to the groups of their signatures, and tell the verdicts of their cells."""
    taken = select(run.c.id).where(run.c.id.in_({item.key[0] for item in moving}))
    connection.execute(taken.order_by(run.c.uid).with_for_update())
    groups = ids(connection, failure_group, "signature", [item.said.signature for item in moving])
    here = {name: result.c[name] == bindparam(f"at_{name}") for name in ("run_id", "cell_id")}
    attempt = result.c.attempt == bindparam("at_attempt")
    connection.execute(
        update(result).where(*here.values(), attempt).values(group_id=bindparam("now_group_id")),
        [_told(item, groups) for item in moving],
    )
    alone = [item for item in moving if item.attempts == 1]
    if alone:
        there = (verdict.c[name] == bindparam(f"at_{name}") for name in ("run_id", "cell_id"))
        columns: dict[str, Any] = {
            name: bindparam(f"now_{name}") for name in ("group_id", "kind", "suspect")
        }
        connection.execute(
            update(verdict).where(*there).values(**columns),
            [_told(item, groups) for item in alone],
        )
    others = {item.key[:2] for item in moving if item.attempts != 1}
    for run_id in sorted({run_id for run_id, _ in others}):
        refold(connection, run_id, sorted(cell for known, cell in others if known == run_id))
    return len(moving)


def _told(item: _Failure, groups: Mapping[str, int]) -> dict[str, Any]:
    run_id, cell_id, attempt = item.key
    return {
        "at_run_id": run_id,
        "at_cell_id": cell_id,
        "at_attempt": attempt,
        "now_group_id": groups[item.said.signature],
        "now_kind": item.said.group["kind"],
        "now_suspect": item.said.suspect,
    }
