"""How a run's cells stand by backend and variant, and what models take.

Tallies of runs that are there are counted when they are asked for; what their models take is read
from one result of each model class.
"""

import json

import sqlalchemy as sa
from alembic import op

from runner.core.modalities import kinds_of

revision = "0014"
down_revision = "0010"
branch_labels = None
depends_on = None

_NEWEST = sa.text(
    "SELECT t.body FROM verdict v JOIN result r ON r.run_id = v.run_id AND r.cell_id = v.cell_id "
    "JOIN text t ON t.digest = r.detail WHERE v.cell_id = :cell ORDER BY v.run_id DESC LIMIT 1"
)


def upgrade() -> None:
    op.add_column("run", sa.Column("tally", sa.JSON()))
    takes = op.create_table(
        "takes",
        sa.Column("model_type", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("model_type", "kind", name="pk_takes"),
    )
    rows = [{"model_type": name, "kind": kind} for name, kind in sorted(_told(op.get_bind()))]
    if rows:
        op.bulk_insert(takes, rows)


def _told(connection: sa.Connection) -> set[tuple[str, str]]:
    classes: dict[tuple[str, ...], int] = {}
    for number, cell in connection.execute(sa.text("SELECT id, cell FROM cell")):
        classes.setdefault(tuple(cell.split("/")[:2]), number)
    found = set()
    for (model_type, _), number in classes.items():
        body = connection.execute(_NEWEST, {"cell": number}).scalar()
        sizes = (json.loads(body).get("recipe") or {}).get("sizes") or {} if body else {}
        found |= {(model_type, kind) for kind in kinds_of(sizes)}
    return found


def downgrade() -> None:
    op.drop_table("takes")
    op.drop_column("run", "tally")
