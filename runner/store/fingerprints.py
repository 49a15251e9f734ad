"""What decided the outcomes that a later run may carry over."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import Engine, select, update

from harness.cells import Cell
from runner.core.reuse import Remembered
from runner.core.runs import Audit
from runner.store.bulk import chunks, ids, insert_new, upsert
from runner.store.rows import digest
from runner.store.tables import cell as cells_
from runner.store.tables import fingerprint as fingerprints_
from runner.store.tables import run as runs_
from runner.store.tables import text as texts_


def remember(engine: Engine, found: Iterable[Remembered]) -> None:
    """Keep these; a cell's fingerprint that is there already is now said of this run."""
    rows = sorted(found, key=lambda each: (each.cell, each.fingerprint))
    bodies = {digest(body): body for body in {_body(each) for each in rows}}
    with engine.begin() as connection:
        insert_new(connection, texts_, [{"digest": k, "body": bodies[k]} for k in sorted(bodies)])
        cells = ids(connection, cells_, "cell", [each.cell.id for each in rows])
        runs = ids(connection, runs_, "uid", [each.run for each in rows])
        values = [
            {
                "cell_id": cells[each.cell.id],
                "fingerprint": each.fingerprint,
                "state": each.state,
                "made_of": digest(_body(each)),
                "run_id": runs[each.run],
            }
            for each in rows
        ]
        upsert(connection, fingerprints_, values, keys=("cell_id", "fingerprint"))


def remembered(engine: Engine, cells: Sequence[Cell]) -> list[Remembered]:
    """All that is kept of these cells."""
    asked = (
        select(cells_.c.cell, fingerprints_, texts_.c.body, runs_.c.uid)
        .join(cells_, cells_.c.id == fingerprints_.c.cell_id)
        .join(texts_, texts_.c.digest == fingerprints_.c.made_of)
        .join(runs_, runs_.c.id == fingerprints_.c.run_id)
        .order_by(fingerprints_.c.run_id)
    )
    with engine.connect() as connection:
        return [
            Remembered(
                cell=Cell.parse(row.cell),
                fingerprint=row.fingerprint,
                state=row.state,
                made_of=tuple(json.loads(row.body)),
                run=row.uid,
            )
            for part in chunks([cell.id for cell in cells])
            for row in connection.execute(asked.where(cells_.c.cell.in_(part)))
        ]


def note_audit(engine: Engine, uid: str, found: Audit) -> None:
    """Keep with the run how its audit went."""
    with engine.begin() as connection:
        connection.execute(update(runs_).where(runs_.c.uid == uid).values(audit=asdict(found)))


def _body(found: Remembered) -> str:
    return json.dumps(sorted(found.made_of))
