"""texts by digest, results by run, cell and attempt, no foreign keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DIGEST = sa.Uuid(as_uuid=False)
_KEYS = ("run_id", "cell_id", "group_id")
_POINTERS = ("detail", "traceback", "log")


def upgrade() -> None:
    with op.batch_alter_table("result") as batch:
        for name in (*_POINTERS, "stack"):
            batch.add_column(sa.Column(name, _DIGEST, nullable=True))

    result = sa.table("result", *(sa.column(name) for name in _POINTERS + _ids()))
    text = sa.table("text", sa.column("id"), sa.column("sha256"))
    # SHA-256 in hexadecimal before; its first half now.
    half = sa.cast(sa.func.substr(text.c.sha256, 1, 32), _DIGEST)
    found = {
        name: sa.select(half).where(text.c.id == result.c[f"{name}_id"]).scalar_subquery()
        for name in _POINTERS
    }
    op.execute(sa.update(result).values(found))

    with op.batch_alter_table("result") as batch:
        for name in _ids():
            batch.drop_index(f"ix_result_{name}")
            batch.drop_constraint(f"fk_result_{name}", type_="foreignkey")
            batch.drop_column(name)
        batch.alter_column("detail", existing_type=_DIGEST, nullable=False)
        for name in _KEYS:
            batch.drop_constraint(f"fk_result_{name}", type_="foreignkey")
        batch.drop_constraint("uq_result_run_id_cell_id_attempt", type_="unique")
        batch.drop_constraint("pk_result", type_="primary")
        batch.drop_column("id")
        batch.create_primary_key("pk_result", ["run_id", "cell_id", "attempt"])

    with op.batch_alter_table("verdict") as batch:
        for name in _KEYS:
            batch.drop_constraint(f"fk_verdict_{name}", type_="foreignkey")

    with op.batch_alter_table("text") as batch:
        batch.add_column(sa.Column("digest", _DIGEST, nullable=True))
    digested = sa.table("text", sa.column("digest"), sa.column("sha256"))
    op.execute(
        sa.update(digested).values(
            digest=sa.cast(sa.func.substr(digested.c.sha256, 1, 32), _DIGEST)
        )
    )
    with op.batch_alter_table("text") as batch:
        batch.alter_column("digest", existing_type=_DIGEST, nullable=False)
        batch.drop_constraint("uq_text_sha256", type_="unique")
        batch.drop_constraint("pk_text", type_="primary")
        batch.drop_column("sha256")
        batch.drop_column("id")
        batch.create_primary_key("pk_text", ["digest"])


def _ids() -> tuple[str, ...]:
    return tuple(f"{name}_id" for name in _POINTERS)


def downgrade() -> None:
    raise NotImplementedError("a digest tells no number; restore the copy made before the upgrade")
