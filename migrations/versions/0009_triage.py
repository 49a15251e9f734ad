"""triage of failure groups, its log, merges and splits, and the groups' former names."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "triage",
        sa.Column("group_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("assignee", sa.String(length=100), nullable=True),
        sa.Column("issue", sa.String(length=600), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("muted_until", sa.String(length=60), nullable=True),
        sa.Column("fixed_in", sa.String(length=60), nullable=True),
        sa.Column("fixed_run", sa.Integer(), nullable=True),
        sa.Column("returned_run", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name=op.f("pk_triage")),
    )
    op.create_index(op.f("ix_triage_state"), "triage", ["state"])
    op.create_index(op.f("ix_triage_assignee"), "triage", ["assignee"])
    op.create_table(
        "triage_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("signature", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_triage_log")),
    )
    op.create_index(op.f("ix_triage_log_group_id_id"), "triage_log", ["group_id", "id"])
    op.create_index(op.f("ix_triage_log_who_id"), "triage_log", ["who", "id"])
    op.create_table(
        "regroup",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regroup")),
    )
    op.create_table(
        "group_alias",
        sa.Column("signature", sa.String(length=40), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_group_alias")),
    )


def downgrade() -> None:
    for table in ("group_alias", "regroup", "triage_log", "triage"):
        op.drop_table(table)
