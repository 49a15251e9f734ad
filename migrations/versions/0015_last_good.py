"""Where a cell passed last is one look into an index, however long it has failed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

_NAME = "ix_verdict_cell_id_verdict_run_id"


def upgrade() -> None:
    op.create_index(op.f(_NAME), "verdict", ["cell_id", "verdict", "run_id"])
    bind = op.get_bind()
    if bind.dialect.name == "sqlite" and sa.inspect(bind).has_table("sqlite_stat1"):
        # Beside indexes that were counted, SQLite takes one that was not for the best of all.
        op.execute(f"ANALYZE {_NAME}")


def downgrade() -> None:
    op.drop_index(op.f(_NAME), "verdict")
