"""Which branch of Transformers a run is of; of runs that are there nobody knows."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("branch", sa.String(300)))


def downgrade() -> None:
    op.drop_column("run", "branch")
