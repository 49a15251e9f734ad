"""Alembic's entry: the tables of `runner.store`, on the connection that the caller hands over.

Developers call `alembic` itself as well (`revision --autogenerate`, `check`); it then takes the
database of the settings.
"""

from alembic import context
from sqlalchemy import Connection, create_engine

from runner.settings import settings
from runner.store.tables import metadata


def run(connection: Connection) -> None:
    # Batches, because SQLite can't alter a column in place.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(settings().database_url).begin() as opened:
        run(opened)
