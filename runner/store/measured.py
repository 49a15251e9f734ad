"""What cells measured in several runs: the numbers that tell how noisy a number is."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Engine, select

from harness.cells import Cell
from runner.core.confirm import other_versions
from runner.core.numbers import ENOUGH, Measure, Past
from runner.core.runs import Run, Verdict
from runner.store.bulk import chunks
from runner.store.reads import read_runs
from runner.store.tables import cell as cells_
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

#: of each condition, the newest
_RUNS = 10

Found = dict[Cell, dict[Measure, list[float]]]


def measured(engine: Engine, run: Run, cells: Collection[Cell], *, history: bool) -> Past:
    """The cells' numbers in runs of the run's revision and stack.

    With `history`, where those are too few, in the last runs up to it on its stack.
    """
    closed = select(runs_).where(runs_.c.closed_at.is_not(None)).order_by(runs_.c.id.desc())
    alike = closed.where(runs_.c.revision == run.revision).limit(_RUNS)
    earlier = closed.where(runs_.c.id <= run.id).limit(_RUNS)
    with engine.connect() as connection:
        here = [each for each in read_runs(connection, alike) if _same_stack(each, run)]
        before = [each for each in read_runs(connection, earlier) if _same_stack(each, run)]
    found = _values(engine, here, cells)
    if not history:
        return found
    lacking = [cell for cell in cells if _fewest(found.get(cell, {})) < ENOUGH]
    return found | _values(engine, {each.id: each for each in [*here, *before]}.values(), lacking)


def _same_stack(run: Run, other: Run) -> bool:
    return not other_versions(run.stack, other.stack)


def _fewest(values: dict[Measure, list[float]]) -> int:
    return min((len(each) for each in values.values()), default=0)


def _values(engine: Engine, runs: Collection[Run], cells: Collection[Cell]) -> Found:
    """What was executed and passed; a result that was carried over is no other measurement."""
    columns = [verdicts_.c[measure.value] for measure in Measure]
    asked = (
        select(cells_.c.cell, *columns)
        .join(cells_, cells_.c.id == verdicts_.c.cell_id)
        .where(
            verdicts_.c.run_id.in_([each.id for each in runs]),
            verdicts_.c.verdict == Verdict.PASS.value,
            verdicts_.c.carried_from.is_(None),
        )
    )
    found: Found = defaultdict(lambda: {measure: [] for measure in Measure})
    with engine.connect() as connection:
        for part in chunks(sorted(cell.id for cell in cells)):
            for row in connection.execute(asked.where(cells_.c.cell.in_(part))):
                _add(found[Cell.parse(row.cell)], row[1:])
    return dict(found)


def _add(known: dict[Measure, list[float]], values: Sequence[float | None]) -> None:
    for measure, value in zip(Measure, values, strict=True):
        if value is not None:
            known[measure].append(value)
