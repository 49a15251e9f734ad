"""CPU seconds of a cell."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verdict", sa.Column("cpu_s", sa.Float(), nullable=True))


def downgrade() -> None:
    op.drop_column("verdict", "cpu_s")
