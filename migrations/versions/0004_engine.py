"""how a run was scheduled, how it goes, its canary; bisects that have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TOLD = ("progress", "schedule", "canary")


def upgrade() -> None:
    for name in _TOLD:
        op.add_column("run", sa.Column(name, sa.JSON(), nullable=True))
    op.create_table(
        "bisect",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("good", sa.String(length=200), nullable=False),
        sa.Column("bad", sa.String(length=200), nullable=False),
        sa.Column("stack", sa.JSON(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bisect")),
    )
    op.create_index(op.f("ix_bisect_cell_id"), "bisect", ["cell_id"])


def downgrade() -> None:
    op.drop_table("bisect")
    for name in _TOLD:
        op.drop_column("run", name)
