"""One model type over the last runs.

Only the rows of its own cells are read, from the index that has them by cell and run.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from harness.cells import Cell
from runner.core.runs import Run, Verdict
from runner.store.reads import read_runs
from runner.store.tables import cell as cells_
from runner.store.tables import run as runs_
from runner.store.tables import verdict as verdicts_

LAST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """A cell in one run."""

    run_id: int
    verdict: Verdict
    max_abs_diff: float | None
    export_s: float | None
    planned_bytes: int | None
    graph_nodes: int | None


def over_time(
    engine: Engine, model_type: str, *, last: int = LAST
) -> tuple[list[Run], dict[Cell, list[Then]]]:
    """The last runs, oldest first, and what became of each cell of the type in them."""
    with engine.connect() as connection:
        newest = select(runs_).order_by(runs_.c.id.desc()).limit(last)
        runs = sorted(read_runs(connection, newest), key=lambda run: run.id)
        named = cells_.c.cell.startswith(f"{model_type}/", autoescape=True)
        known = connection.execute(select(cells_.c.id, cells_.c.cell).where(named)).all()
        cells = {row.id: Cell.parse(row.cell) for row in known}
        asked = (
            select(
                verdicts_.c.cell_id,
                verdicts_.c.run_id,
                verdicts_.c.verdict,
                verdicts_.c.max_abs_diff,
                verdicts_.c.export_s,
                verdicts_.c.planned_bytes,
                verdicts_.c.graph_nodes,
            )
            .where(
                verdicts_.c.cell_id.in_(cells), verdicts_.c.run_id >= (runs[0].id if runs else 0)
            )
            .order_by(verdicts_.c.run_id)
        )
        found: dict[Cell, list[Then]] = {}
        for row in connection.execute(asked):
            found.setdefault(cells[row.cell_id], []).append(
                Then(
                    run_id=row.run_id,
                    verdict=Verdict(row.verdict),
                    max_abs_diff=row.max_abs_diff,
                    export_s=row.export_s,
                    planned_bytes=row.planned_bytes,
                    graph_nodes=row.graph_nodes,
                )
            )
    return runs, {cell: found[cell] for cell in sorted(found)}
