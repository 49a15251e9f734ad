"""The schema's history, by Alembic; `export-matrix db upgrade` applies it."""
