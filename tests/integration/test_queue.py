"""Queued work, on both databases: one worker each, in order, and again when one dies."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from runner.core.pull.events import Event, Kind, Pull, read_event
from runner.store import queue, tables
from runner.store.engine import Engine
from runner.store.pulls import head_since, receive


def _later() -> datetime:
    return datetime.now(UTC) + queue.LEASE + timedelta(minutes=1)


def _queued(engine: Engine, key: str, *, kind: str = "pull", replaces: bool = False) -> int:
    with engine.begin() as connection:
        return queue.enqueue(connection, kind=kind, key=key, payload={"n": 1}, replaces=replaces)


def _states(engine: Engine) -> list[str]:
    return [each.state for each in reversed(queue.all_work(engine))]


def test_many_workers_at_once_never_take_the_same(engine: Engine) -> None:
    numbers = {_queued(engine, f"k{n}") for n in range(24)}

    def drain(worker: str) -> list[int]:
        taken = []
        while found := queue.take(engine, worker):
            taken.append(found.id)
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [number for part in pool.map(drain, "abcdef") for number in part]
    rest = drain("g")
    assert len(taken) == len(set(taken))
    assert {*taken, *rest} == numbers


def test_work_of_one_key_is_done_one_after_the_other(engine: Engine) -> None:
    first, second, other = _queued(engine, "k"), _queued(engine, "k"), _queued(engine, "other")
    one = queue.take(engine, "a")
    assert one is not None
    assert one.id == first
    assert [each.id for each in [queue.take(engine, "b")] if each] == [other]
    assert queue.take(engine, "c") is None
    assert queue.end(engine, one)
    following = queue.take(engine, "c")
    assert following is not None
    assert following.id == second


def test_a_dead_workers_work_is_taken_again_and_it_can_not_end_it_any_more(engine: Engine) -> None:
    _queued(engine, "k")
    dead = queue.take(engine, "a")
    assert dead is not None
    assert queue.take(engine, "b") is None
    again = queue.take(engine, "b", now=_later())
    assert again is not None
    assert (again.id, again.tries) == (dead.id, 2)
    assert not queue.end(engine, dead)
    assert not queue.renew(engine, dead)
    assert queue.end(engine, again)


def test_a_worker_that_lives_keeps_its_work(engine: Engine) -> None:
    _queued(engine, "k")
    taken = queue.take(engine, "a")
    assert taken is not None
    assert queue.renew(engine, taken, now=_later())
    assert queue.take(engine, "b", now=_later()) is None


def test_what_is_put_back_waits_and_fails_in_the_end(engine: Engine) -> None:
    _queued(engine, "k")
    for number in range(queue.TRIES):
        taken = queue.take(engine, "a")
        assert taken is not None
        assert taken.tries == number + 1
        queue.put_back(engine, taken, after=timedelta(0), error="down")
    assert queue.take(engine, "a") is None
    assert _states(engine) == ["failed"]


def test_what_is_put_back_for_later_is_not_taken_before(engine: Engine) -> None:
    _queued(engine, "k")
    taken = queue.take(engine, "a")
    assert taken is not None
    queue.put_back(engine, taken, after=timedelta(hours=1), error="down")
    assert queue.take(engine, "a") is None


def test_newer_work_replaces_what_waits_but_not_what_is_being_done(engine: Engine) -> None:
    _queued(engine, "k")
    queue.take(engine, "a")
    _queued(engine, "k", replaces=True)
    _queued(engine, "k", kind="comment", replaces=True)
    _queued(engine, "k", replaces=True)
    assert _states(engine) == ["taken", "dropped", "queued", "queued"]


# ── deliveries ──────────────────────────────────────────────────────────────────────────────────
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def _event(head: str, minutes: int, *, is_open: bool = True) -> Event:
    pull = Pull(
        repository="o/r",
        number=7,
        head=head * 40,
        base="b" * 40,
        base_branch="main",
        open=is_open,
        updated_at=NOON + timedelta(minutes=minutes),
    )
    payload = {"number": 7, "runs": is_open}
    return Event(kind=Kind.PULL, repository="o/r", key="o/r#7", payload=payload, pull=pull)


def _receive(engine: Engine, number: int, event: Event | None, *, digest: str = "") -> bool:
    digest = digest or f"digest {number}"
    return receive(engine, delivery=f"id {number}", digest=digest, name="x", event=event)


def test_a_delivery_is_work_once_by_its_id_and_by_its_body(engine: Engine) -> None:
    assert _receive(engine, 1, _event("a", 0))
    assert not _receive(engine, 1, _event("a", 0))
    assert not _receive(engine, 2, _event("a", 0), digest="digest 1")
    assert _states(engine) == ["queued"]


def test_the_same_delivery_that_comes_many_times_at_once_is_work_once(engine: Engine) -> None:
    def once(_: int) -> bool:
        return _receive(engine, 1, _event("a", 0))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(once, range(8))) == 1
    assert _states(engine) == ["queued"]


def test_deliveries_are_forgotten_when_github_sends_them_no_more_and_change_nothing_then(
    engine: Engine,
) -> None:
    _receive(engine, 1, _event("a", 0))
    _receive(engine, 2, _event("c", 2))
    long_ago = datetime.now(UTC) - timedelta(days=31)
    first = tables.delivery.c.id == "id 1"
    with engine.begin() as connection:
        connection.execute(update(tables.delivery).where(first).values(received_at=long_ago))
    _receive(engine, 3, None)
    with engine.connect() as connection:
        known = connection.scalars(select(tables.delivery.c.id)).all()
    assert sorted(known) == ["id 2", "id 3"]
    _receive(engine, 1, _event("a", 0))
    assert _states(engine) == ["dropped", "queued"]  # it is older than what was told since


def test_an_older_event_that_comes_late_changes_nothing(engine: Engine) -> None:
    _receive(engine, 1, _event("c", 2))
    _receive(engine, 2, _event("a", 0))
    assert _states(engine) == ["queued"]
    assert head_since(engine, "o/r", 7, "c" * 40) == NOON + timedelta(minutes=2)
    assert head_since(engine, "o/r", 7, "a" * 40) is None


def test_a_closed_pull_request_is_not_opened_by_an_older_event(engine: Engine) -> None:
    _receive(engine, 1, _event("a", 5, is_open=False))
    _receive(engine, 2, _event("a", 3))
    assert _states(engine) == []


def test_the_head_stands_since_the_first_event_that_told_it(engine: Engine) -> None:
    for number, (head, minutes) in enumerate([("a", 0), ("c", 5), ("c", 9)]):
        _receive(engine, number, _event(head, minutes))
    assert head_since(engine, "o/r", 7, "c" * 40) == NOON + timedelta(minutes=5)


@pytest.mark.parametrize("name", ["ping", "star"])
def test_what_means_nothing_is_noted_and_is_no_work(engine: Engine, name: str) -> None:
    assert _receive(engine, 1, read_event(name, {"zen": "…"}))
    assert _states(engine) == []
