"""fingerprints, and what an audit of carried results found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fingerprint",
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("made_of", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cell_id", "fingerprint", name=op.f("pk_fingerprint")),
    )
    op.create_index(op.f("ix_fingerprint_run_id"), "fingerprint", ["run_id"])
    op.add_column("run", sa.Column("audit", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("run", "audit")
    op.drop_table("fingerprint")
