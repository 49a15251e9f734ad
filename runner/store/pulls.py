"""Pull requests: how they stand, forward only, and the runs that they were told of."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, select, update

from harness.errors import SelectionError
from runner.core.pull.events import Event, Pull
from runner.core.pull.report import Commits
from runner.store.bulk import insert_into, insert_new, upsert
from runner.store.queue import enqueue
from runner.store.reads import utc
from runner.store.tables import delivery as deliveries
from runner.store.tables import pull as pulls
from runner.store.tables import pull_run

_SHORTEST = 4
#: GitHub can be told to send one again for three days
_DELIVERY_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRuns:
    """The runs of one head of a pull request, as far as they are planned."""

    repository: str
    number: int
    commits: Commits
    scope: str = ""
    baseline_run: str | None = None
    head_run: str | None = None
    noted_at: datetime | None = None


def receive(engine: Engine, *, delivery: str, digest: str, name: str, event: Event | None) -> bool:
    """Note a delivery and queue what it asks for, both or neither; False if it came before."""
    now = datetime.now(UTC)
    row = {"id": delivery, "digest": digest, "event": name, "received_at": now}
    with engine.begin() as connection:
        old = now - timedelta(days=_DELIVERY_DAYS)
        connection.execute(delete(deliveries).where(deliveries.c.received_at < old))
        noting = insert_into(connection, deliveries).values(**row).on_conflict_do_nothing()
        if connection.scalar(noting.returning(deliveries.c.digest)) is None:
            return False
        if event is not None:
            _queue(connection, event)
    return True


def _queue(connection: Connection, event: Event) -> None:
    if event.pull is not None and not _moved_on(connection, event.pull):
        return
    if event.payload.get("runs") is False:
        return
    enqueue(
        connection,
        kind=event.kind,
        key=event.key,
        payload=event.payload,
        author=event.author,
        replaces=event.author is None,
    )


def _moved_on(connection: Connection, told: Pull) -> bool:
    """Note how a pull request stands; False if something newer was told before."""
    here = (pulls.c.repository == told.repository, pulls.c.number == told.number)
    row = {
        "repository": told.repository,
        "number": told.number,
        "head": told.head,
        "base": told.base,
        "base_branch": told.base_branch,
        "open": told.open,
        "updated_at": told.updated_at,
        "head_since": told.updated_at,
    }
    insert_new(connection, pulls, [row])
    known = connection.execute(select(pulls).where(*here).with_for_update()).one()
    if utc(known.updated_at) > told.updated_at:
        return False
    since = known.head_since if known.head == told.head else told.updated_at
    connection.execute(update(pulls).where(*here).values(**row | {"head_since": since}))
    return True


def head_since(engine: Engine, repository: str, number: int, head: str) -> datetime | None:
    """Since when that is the head; None if no event told it."""
    asked = select(pulls.c.head_since).where(
        pulls.c.repository == repository, pulls.c.number == number, pulls.c.head == head
    )
    with engine.connect() as connection:
        found = connection.scalar(asked)
    return None if found is None else utc(found)


def pulls_at(engine: Engine, repository: str, head: str) -> list[int]:
    """The pull requests with that head of which no run was planned for it."""
    planned = select(pull_run.c.number).where(
        pull_run.c.repository == repository, pull_run.c.head == head
    )
    asked = select(pulls.c.number).where(
        pulls.c.repository == repository, pulls.c.head == head, pulls.c.number.not_in(planned)
    )
    with engine.connect() as connection:
        return list(connection.scalars(asked))


def note_runs(engine: Engine, runs: PullRuns) -> None:
    """Keep which runs a head is told of, instead of any before."""
    row = {
        "repository": runs.repository,
        "number": runs.number,
        "head": runs.commits.head,
        "run_commit": runs.commits.run,
        "base": runs.commits.base,
        "base_branch": runs.commits.base_branch,
        "baseline_run": runs.baseline_run,
        "head_run": runs.head_run,
        "scope": runs.scope,
        "noted_at": datetime.now(UTC),
    }
    with engine.begin() as connection:
        upsert(connection, pull_run, [row], keys=("repository", "number", "head"))


def pull_runs(engine: Engine, number: int, sha: str = "") -> PullRuns:
    """The runs of that pull request's commit, of which some digits are enough; else its newest.

    `SelectionError` names what there is.
    """
    asked = select(pull_run).where(pull_run.c.number == number)
    asked = asked.order_by(pull_run.c.noted_at.desc())
    with engine.connect() as connection:
        rows = connection.execute(asked).all()
    if not rows:
        raise SelectionError(f"nothing was run for pull request {number}")
    found = [row for row in rows if len(sha) >= _SHORTEST and row.head.startswith(sha.lower())]
    if sha and not found:
        heads = ", ".join(row.head[:12] for row in rows[:5])
        raise SelectionError(f"nothing was run for commit {sha[:40]} of it; there are {heads}")
    return _runs(found[0] if found else rows[0])


def pushes(engine: Engine, repository: str, number: int, *, limit: int = 30) -> list[PullRuns]:
    """What was run for each commit that a pull request had, newest first."""
    asked = select(pull_run).where(pull_run.c.repository == repository, pull_run.c.number == number)
    with engine.connect() as connection:
        rows = connection.execute(asked.order_by(pull_run.c.noted_at.desc()).limit(limit))
        return [_runs(row) for row in rows]


def _runs(row: Row[Any]) -> PullRuns:
    return PullRuns(
        repository=row.repository,
        number=row.number,
        commits=Commits(
            run=row.run_commit, head=row.head, base=row.base, base_branch=row.base_branch
        ),
        scope=row.scope,
        baseline_run=row.baseline_run,
        head_run=row.head_run,
        noted_at=utc(row.noted_at),
    )
