"""What of a search came and went with a run, and who is told of it by a webhook.

When a run is closed, that is queued (`announce`); then each subscription is a piece of work of its
own (`deliver`), which is repeated until it is taken. The same is told once.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cells import Cell
from harness.errors import SelectionError
from runner.core.query.nodes import Query
from runner.core.query.reader import parse
from runner.core.runs import CellVerdict, Run
from runner.core.webhook import checked_url, signature
from runner.notify.hook import deliver
from runner.settings import Settings
from runner.steps.knowing import complete_runs
from runner.steps.querying import concerns, search
from runner.store import reads, subscriptions
from runner.store.engine import Engine
from runner.store.queue import Work, enqueue
from runner.store.subscriptions import ANNOUNCE, DELIVER, Subscription

_LISTED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What of a search came and went with a run, since the complete one before it."""

    run: Run
    before: Run | None
    search: str
    #: cells that it means now
    found: int
    came: tuple[CellVerdict, ...]
    went: tuple[Cell, ...]

    @property
    def headline(self) -> str:
        told = [f"{len(self.came)} came"] if self.came else []
        told += [f"{len(self.went)} went"] if self.went else []
        return f"{self.search}: {', '.join(told) or 'nothing new'}, {self.found} in all"


def news(engine: Engine, run: Run, query: str) -> News:
    """What a run brings of a search; `SelectionError` if it can't be read.

    Nothing, if the search says that it is of other runs; it is compared with one that it is of.
    """
    asked = parse(query)
    if not concerns(asked, run):
        return News(run=run, before=None, search=query, found=0, came=(), went=())
    verdicts = reads.verdicts(engine, run.id)
    found = search(engine, run, verdicts, asked)
    before = _before(engine, run, asked)
    earlier: Sequence[CellVerdict] = ()
    if before is not None:
        earlier = search(engine, before, reads.verdicts(engine, before.id), asked)
    now, then = {each.cell for each in found}, {each.cell for each in earlier}
    meant = {each.cell for each in verdicts}
    return News(
        run=run,
        before=before,
        search=query,
        found=len(found),
        came=tuple(each for each in found if each.cell not in then),
        went=tuple(sorted((then - now) & meant)),
    )


def _before(engine: Engine, run: Run, asked: Query) -> Run | None:
    """The baseline of a run, else the newest complete one before it that the search is of."""
    usual = reads.previous_complete(engine, run)
    if usual is None or concerns(asked, usual):
        return usual
    earlier = (each for each in complete_runs(engine) if each.id < run.id)
    return next((each for each in earlier if concerns(asked, each)), None)


def new_subscription(engine: Engine, url: str, query: str, *, by: str) -> Subscription:
    """Somebody is told from now on; `SelectionError` if address or search can't be read."""
    parse(query)
    if not query.strip():
        raise SelectionError("say which search: is:regressed, say")
    return subscriptions.subscribe(engine, checked_url(url), query, by=by)


def record(told: News, root: str) -> dict[str, Any]:
    """What is sent; the first of each are listed, all are counted."""
    return {
        "type": "search.changed",
        "data": {
            "search": told.search,
            "run": _run(told.run, root),
            "baseline": _run(told.before, root) if told.before else None,
            "complete": told.run.complete,
            "found": told.found,
            "came_count": len(told.came),
            "came": [
                {
                    "cell": each.cell.id,
                    "verdict": each.verdict,
                    "stage": each.stage,
                    "signature": each.signature,
                    "title": each.title,
                    "url": f"{root}/cells/{each.cell.id}?run={told.run.id}",
                }
                for each in told.came[:_LISTED]
            ],
            "went_count": len(told.went),
            "went": [cell.id for cell in told.went[:_LISTED]],
        },
    }


def _run(run: Run, root: str) -> dict[str, Any]:
    url = f"{root}/runs/{run.id}"
    return {"id": run.id, "uid": run.uid, "revision": run.revision, "url": url}


def handlers(engine: Engine, here: Settings) -> dict[str, Callable[[Work], None]]:
    """What a worker does for those who are told of searches."""
    return {
        ANNOUNCE: lambda taken: _announce(engine, str(taken.payload["run"])),
        DELIVER: lambda taken: _deliver(engine, here, taken),
    }


def _announce(engine: Engine, uid: str) -> None:
    for each in subscriptions.active(engine):
        key = f"subscription/{each.id}"
        payload = {"subscription": each.id, "run": uid}
        with engine.begin() as connection:
            enqueue(connection, kind=DELIVER, key=key, payload=payload)


def _deliver(engine: Engine, here: Settings, taken: Work) -> None:
    """Tell one of one run, unless there is nothing to tell, or it was told already."""
    number, uid = int(taken.payload["subscription"]), str(taken.payload["run"])
    try:
        meant = subscriptions.one(engine, number)
    except SelectionError:
        return  # it has ended meanwhile
    told = news(engine, reads.run(engine, uid), meant.search)
    body = json.dumps(record(told, here.dashboard_url), sort_keys=True).encode()
    mark = f"{uid[:200]} {hashlib.sha256(body).hexdigest()[:24]}"
    if (told.came or told.went) and mark != meant.told:
        send(
            meant, body, message=f"msg_{hashlib.sha256(mark.encode()).hexdigest()[:24]}", here=here
        )
        subscriptions.note_told(engine, number, mark)


def send(to: Subscription, body: bytes, *, message: str, here: Settings) -> int:
    """One delivery; `NotifyError` if it is not taken."""
    now = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "export-matrix",
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(to.secret, message=message, timestamp=now, body=body),
    }
    return deliver(to.url, body, headers, private=here.hooks_private)
