"""re-runs that confirm losses; selfchecks; seconds and nodes of what was exported."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    digest = sa.Uuid(as_uuid=False)
    op.add_column("verdict", sa.Column("export_s", sa.Float(), nullable=True))
    op.add_column("verdict", sa.Column("graph_nodes", sa.BigInteger(), nullable=True))
    op.create_table(
        "rerun",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("cell_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", digest, nullable=False),
        sa.Column("stack", digest, nullable=False),
        sa.Column("traceback", digest, nullable=True),
        sa.Column("log", digest, nullable=True),
        sa.PrimaryKeyConstraint("run_id", "cell_id", "attempt", name=op.f("pk_rerun")),
    )
    op.create_table(
        "selfcheck",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(length=200), nullable=False),
        sa.Column("stack", sa.JSON(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_selfcheck")),
    )


def downgrade() -> None:
    op.drop_table("selfcheck")
    op.drop_table("rerun")
    op.drop_column("verdict", "graph_nodes")
    op.drop_column("verdict", "export_s")
