"""What only several runs tell: of a cell, of a failure group, of all cells; one query a question.

Every question is answered from an index: a cell's own rows (`cell_id, run_id`), a group's own
(`group_id, run_id`), or those of the last runs; none walks history.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sqlalchemy import Connection, Engine, Row, case, func, select, union

from harness.backends import backend_names
from harness.cells import IN_ORDER, Cell, Variant
from runner.core.flips import Executed, Flakiness, flakiness
from runner.core.owner import Siblings, by_class
from runner.core.runs import CellVerdict, Run, Verdict
from runner.store.bulk import chunks
from runner.store.reads import RECENT_RUNS, VERDICTS, read_runs, read_verdict
from runner.store.tables import cell as cells_
from runner.store.tables import failure_group
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

_ALL = 10**9
_BAD = (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)


def past(engine: Engine, cell: Cell, *, limit: int = 50) -> list[tuple[Run, CellVerdict]]:
    """A cell in the newest runs that meant to run it, newest first."""
    asked = (
        VERDICTS.where(cells_.c.cell == cell.id).order_by(verdicts_.c.run_id.desc()).limit(limit)
    )
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
        found = read_runs(
            connection, select(runs_).where(runs_.c.id.in_([row.run_id for row in rows]))
        )
    by_id = {item.id: item for item in found}
    return [(by_id[row.run_id], read_verdict(row)) for row in rows]


def newest_verdict(
    engine: Engine, cell: Cell, revision: str, *, stack: Mapping[str, str]
) -> CellVerdict | None:
    """What a cell came to when it was last run at a revision, with the same other versions."""
    asked = (
        VERDICTS.join(runs_, runs_.c.id == verdicts_.c.run_id)
        .add_columns(runs_.c.stack)
        .where(cells_.c.cell == cell.id, runs_.c.revision == revision)
        .where(verdicts_.c.verdict != Verdict.MISSING)
        .order_by(verdicts_.c.run_id.desc())
        .limit(RECENT_RUNS)
    )
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    same = (row for row in rows if _others(row.stack) == _others(stack))
    return next((read_verdict(row) for row in same), None)


def _others(stack: Mapping[str, str]) -> dict[str, str]:
    """A stack without what the revision says."""
    return {name: at for name, at in stack.items() if name != "transformers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Between which runs a cell broke."""

    #: the newest run in which it passed; None if it never did
    last_good: Run | None = None
    #: the first run after that in which it failed
    first_bad: Run | None = None


NO_TURN = Turn()


def turn(engine: Engine, cell: Cell, *, until: int) -> Turn:
    """Where a cell broke, seen from the run of that number."""
    here = select(verdicts_.c.run_id).join(cells_, cells_.c.id == verdicts_.c.cell_id)
    here = here.where(cells_.c.cell == cell.id, verdicts_.c.run_id <= until)
    passed = here.where(verdicts_.c.verdict == Verdict.PASS.value)
    good = passed.order_by(verdicts_.c.run_id.desc()).limit(1).scalar_subquery()
    failed = here.where(verdicts_.c.verdict.in_([each.value for each in _BAD]))
    after = failed.where(verdicts_.c.run_id > func.coalesce(good, 0))
    bad = after.order_by(verdicts_.c.run_id).limit(1).scalar_subquery()
    with engine.connect() as connection:
        numbers = connection.execute(select(good.label("good"), bad.label("bad"))).one()
        asked = select(runs_).where(runs_.c.id.in_([each for each in numbers if each]))
        found = {each.id: each for each in read_runs(connection, asked)}
    return Turn(last_good=found.get(numbers.good), first_bad=found.get(numbers.bad))


def recent(engine: Engine, run: Run, *, last: int = RECENT_RUNS) -> dict[Cell, list[Verdict]]:
    """What each cell came to in that run and the ones before it, oldest first."""
    until = select(runs_.c.id).where(runs_.c.id <= run.id).order_by(runs_.c.id.desc()).limit(last)
    asked = (
        select(cells_.c.cell, verdicts_.c.verdict)
        .join(cells_, cells_.c.id == verdicts_.c.cell_id)
        .where(verdicts_.c.run_id.in_(until))
        .order_by(verdicts_.c.run_id)
    )
    found: dict[str, list[Verdict]] = defaultdict(list)
    with engine.connect() as connection:
        for cell, verdict in connection.execute(asked):
            found[cell].append(Verdict(verdict))
    return {Cell.parse(cell): verdicts for cell, verdicts in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """When a failure group was seen first and last."""

    first: Run
    last: Run


def life(engine: Engine, signature: str) -> Life | None:
    """From which run to which a group was seen; None if it is in none."""
    group = select(failure_group.c.id).where(failure_group.c.signature == signature)
    inside = verdicts_.c.group_id == group.scalar_subquery()
    ends = [select(end(verdicts_.c.run_id)).where(inside) for end in (func.min, func.max)]
    asked = select(runs_).where(runs_.c.id.in_(union(*ends))).order_by(runs_.c.id)
    with engine.connect() as connection:
        found = read_runs(connection, asked)
    return Life(first=found[0], last=found[-1]) if found else None


def flakiest(
    engine: Engine, *, last: int = RECENT_RUNS, limit: int = 50
) -> list[tuple[Cell, Flakiness]]:
    """The cells that flipped in the last runs, the flakiest first."""
    with engine.connect() as connection:
        newest = read_runs(connection, select(runs_).order_by(runs_.c.id.desc()).limit(last))
        conditions = {each.id: _condition(each) for each in newest}
        missed = {each.id: frozenset(each.audit.missed if each.audit else ()) for each in newest}
        said = (
            verdicts_.c.run_id.in_(conditions),
            verdicts_.c.carried_from.is_(None),
            verdicts_.c.verdict.in_([each.value for each in (*_BAD, Verdict.PASS, Verdict.FLAKY)]),
        )
        asked = (
            select(cells_.c.cell, verdicts_.c.run_id, verdicts_.c.verdict)
            .join(cells_, cells_.c.id == verdicts_.c.cell_id)
            .where(*said)
            .order_by(verdicts_.c.run_id)
        )
        audited = frozenset[str]().union(*missed.values())
        unsteady = {
            *connection.scalars(select(cells_.c.id).where(cells_.c.cell.in_(audited))),
            *_unsteady(connection, conditions),
        }
        rows = [
            row
            for part in chunks(sorted(unsteady))
            for row in connection.execute(asked.where(verdicts_.c.cell_id.in_(part)))
        ]
    return _flakiest(rows, conditions, missed)[:limit]


def _unsteady(connection: Connection, conditions: Mapping[int, str]) -> Iterator[int]:
    """The cells that were flaky in one of these runs, or both passed and failed in alike ones.

    Only what an audit says to be alike can have flipped besides.
    """
    here = select(verdicts_.c.cell_id).where(verdicts_.c.run_id.in_(conditions))
    yield from connection.scalars(here.where(verdicts_.c.verdict == Verdict.FLAKY.value))
    passes = case((verdicts_.c.verdict == Verdict.PASS.value, 1), else_=0).label("passes")
    for alike in _alike(conditions):
        spoke = select(verdicts_.c.cell_id, passes).where(
            verdicts_.c.run_id.in_(alike),
            verdicts_.c.carried_from.is_(None),
            verdicts_.c.verdict.in_([each.value for each in (*_BAD, Verdict.PASS)]),
        )
        # A limit makes SQLite find the rows before it groups them, by an index of all history.
        told = spoke.limit(_ALL).subquery()
        mixed = select(told.c.cell_id).group_by(told.c.cell_id)
        yield from connection.scalars(
            mixed.having(func.min(told.c.passes) < func.max(told.c.passes))
        )


def _alike(conditions: Mapping[int, str]) -> list[list[int]]:
    """The runs of each condition that several have."""
    runs: dict[str, list[int]] = defaultdict(list)
    for number, condition in conditions.items():
        runs[condition].append(number)
    return [numbers for numbers in runs.values() if len(numbers) > 1]


def _condition(run: Run) -> str:
    """What decides outcomes in a run, as far as the run itself tells."""
    stack = hashlib.sha256(str(sorted(run.stack.items())).encode()).hexdigest()[:8]
    return f"{run.revision} on {stack}"


def _flakiest(
    rows: Sequence[Row[Any, Any, Any]],
    conditions: Mapping[int, str],
    missed: Mapping[int, Collection[str]],
) -> list[tuple[Cell, Flakiness]]:
    by_cell: dict[str, list[Executed]] = defaultdict(list)
    for cell, run_id, verdict in rows:
        before = by_cell[cell]
        # An audit ran it as its fingerprint was the earlier one's, whatever the revision.
        same = before and cell in missed[run_id]
        condition = before[-1].condition if same else conditions[run_id]
        found = Executed(run_id=run_id, verdict=Verdict(verdict), condition=condition)
        before.append(found)
    told = [(Cell.parse(cell), flakiness(executed)) for cell, executed in by_cell.items()]
    flipped = [each for each in told if each[1].flips]
    return sorted(flipped, key=lambda each: (-each[1].percent, -each[1].flips, each[0]))


def kin(
    engine: Engine,
    run: Run,
    failed: Collection[Cell],
    *,
    own: Iterable[CellVerdict] | None = None,
) -> Siblings:
    """The cells of those model classes in a run, on all backends, in all variants.

    What the run itself has no result of is taken from the newest other run of its revision and
    stack: a run of one backend is explained by another's. `own` are the run's, if they are known.
    """
    classes = {(each.model_type, each.model_class) for each in failed}
    alike = select(runs_).where(runs_.c.revision == run.revision, runs_.c.id != run.id)
    alike = alike.order_by(runs_.c.id.desc()).limit(RECENT_RUNS)
    with engine.connect() as connection:
        others = [each.id for each in read_runs(connection, alike) if each.stack == run.stack]
        ids = _ids(failed) if others or own is None else set()
        mine = list(_newest(connection, ids, [run.id])) if own is None else _of(own, classes)
        said = {each.cell: each for each in mine if each.verdict is not Verdict.MISSING}
        lacking = ids - {cell.id for cell in said}
        for each in _newest(connection, lacking, others) if others else ():
            said.setdefault(each.cell, each)
    for each in mine:
        said.setdefault(each.cell, each)
    return by_class(said[cell] for cell in sorted(said, key=IN_ORDER))


def _ids(failed: Collection[Cell]) -> set[str]:
    """All cells that the model classes of those can have."""
    classes = {(each.model_type, each.model_class) for each in failed}
    backends = {*backend_names(), *(each.backend for each in failed)}
    return {
        f"{model_type}/{model_class}/{variant}/{backend}"
        for (model_type, model_class), variant, backend in product(classes, Variant, backends)
    }


def _of(found: Iterable[CellVerdict], classes: Collection[tuple[str, str]]) -> list[CellVerdict]:
    return [each for each in found if (each.cell.model_type, each.cell.model_class) in classes]


def _newest(
    connection: Connection, ids: Collection[str], runs: Collection[int]
) -> Iterator[CellVerdict]:
    """What those runs say of those cells, the newest first; a missing result says nothing."""
    asked = VERDICTS.where(verdicts_.c.run_id.in_(runs))
    rows = [
        row
        for part in chunks(sorted(ids))
        for row in connection.execute(asked.where(cells_.c.cell.in_(part)))
    ]
    rows.sort(key=lambda row: (row.verdict == Verdict.MISSING, -row.run_id))
    return map(read_verdict, rows)
