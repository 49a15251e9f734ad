"""The runs of nights, as their names say."""

from sqlalchemy import Engine, select

from runner.core.nights import uid_prefix
from runner.core.runs import Run
from runner.store.reads import read_runs
from runner.store.tables import run as runs_


def nights(engine: Engine, *, stack: str | None = None, limit: int = 60) -> list[Run]:
    """The newest runs of nights, of one stack or of all, newest first."""
    named = runs_.c.uid.startswith(uid_prefix(stack), autoescape=True)
    with engine.connect() as connection:
        return read_runs(
            connection, select(runs_).where(named).order_by(runs_.c.id.desc()).limit(limit)
        )
