"""A process that is killed between any two statements of a write leaves the database as a write of
it would find it: nothing is half there, nothing is locked, and doing it again completes it."""

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import sqlalchemy
from sqlalchemy import event, func, inspect, select

from harness.cells import Cell
from harness.results import Outcome, Result
from runner.core.label import label
from runner.core.runs import Verdict
from runner.store import reads, resigning, writes
from runner.store.attempts import attempts_in
from runner.store.engine import Engine, ensure, open_store, require_current
from runner.store.tables import result, text, verdict

NOW = datetime(2026, 11, 25, tzinfo=UTC)
CELLS = [Cell.parse(f"toy/Toy{number}/forward-static/toy") for number in range(6)]
RESULTS = [
    Result(
        cell=cell,
        outcome=Outcome.FAIL if cell in CELLS[:2] else Outcome.PASS,
        run="u",
        attempt=attempt,
        reason=f"ValueError: {cell.model_class}" if cell in CELLS[:2] else None,
        traceback=f"Traceback of {cell.id}" if cell in CELLS[:2] else None,
    )
    for cell in CELLS
    for attempt in ((1, 2) if cell in CELLS[1:3] else (1,))
]

Write = Callable[[Engine], object]


def killed_before(step: int, url: str, write: Callable[[str], object]) -> bool:
    """Whether a process that writes was killed before that statement or commit of its own."""
    if not (pid := os.fork()):
        steps = count()

        def strike(*_: object) -> None:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(sqlalchemy.Engine, "before_cursor_execute", strike)
        event.listen(sqlalchemy.Engine, "commit", strike)
        try:
            write(url)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def kill_before_each(url: str, write: Write, check: Callable[[Engine], object]) -> None:
    """Kill it before each of its steps, and have a look each time."""

    def alone(url: str) -> None:
        write(open_store(url))

    for step in count():
        killed = killed_before(step, url, alone)
        engine = open_store(url)
        check(engine)
        engine.dispose()
        if not killed:
            assert step > 3
            return


def consistent(engine: Engine) -> None:
    """Verdicts count all attempts, and attempts have all their texts."""
    with engine.connect() as connection:
        attempts = select(result.c.cell_id, func.count()).group_by(result.c.cell_id)
        counted = select(verdict.c.cell_id, verdict.c.attempts).where(verdict.c.attempts > 0)
        found = {row[0]: row[1] for row in connection.execute(attempts)}
        assert {row[0]: row[1] for row in connection.execute(counted)} == found
    assert len(attempts_in(engine, "u", CELLS)) == sum(found.values())


def opened(engine: Engine) -> None:
    writes.open_run(
        engine,
        uid="u",
        revision="5.23.0",
        stack={"torch": "2.13.0"},
        selection="all",
        started_at=NOW,
        cells=CELLS,
    )


def ingested(engine: Engine) -> None:
    writes.ingest_results(engine, map(label, RESULTS))


def closed(engine: Engine) -> None:
    writes.close_run(engine, "u", closed_at=NOW, duration_s=1.0)


def test_an_empty_database_is_made_whole_or_not_at_all(url: str) -> None:
    def none_or_all(engine: Engine) -> None:
        if inspect(engine).get_table_names():
            require_current(engine)

    for step in count(step=5):  # each of them takes a minute
        killed = killed_before(step, url, ensure)
        engine = open_store(url)
        none_or_all(engine)
        engine.dispose()
        if not killed:
            break
    assert step > 20
    ensure(url).dispose()


def test_a_run_that_is_killed_while_it_is_written_can_be_written_again(
    url: str, engine: Engine
) -> None:
    def whole(engine: Engine) -> None:
        opened(engine)
        ingested(engine)
        closed(engine)

    kill_before_each(url, whole, consistent)
    run = reads.run(engine, "u")
    verdicts = {each.cell: (each.verdict, each.attempts) for each in reads.verdicts(engine, run.id)}
    assert run.complete
    assert run.closed_at is not None
    assert verdicts[CELLS[0]] == (Verdict.FAIL, 1)
    assert verdicts[CELLS[1]] == (Verdict.FAIL, 2)
    assert verdicts[CELLS[2]] == (Verdict.PASS, 2)


def test_labelling_again_is_done_or_can_be_done_again(url: str, engine: Engine) -> None:
    opened(engine)
    ingested(engine)

    def other(found: Result) -> Result:
        return found.replace(signature=f"s1-{found.cell.model_class}", title="other")

    kill_before_each(url, lambda engine: resigning.resign(engine, other), consistent)
    signatures = {each.cell: each.signature for each in attempts_in(engine, "u", CELLS)}
    assert signatures[CELLS[0]] == "s1-Toy0"
    assert signatures[CELLS[1]] == "s1-Toy1"


def test_a_run_is_pruned_or_there(url: str, engine: Engine) -> None:
    opened(engine)
    ingested(engine)

    def there_or_not(engine: Engine) -> None:
        consistent(engine)
        with engine.connect() as connection:
            left = connection.scalar(select(func.count()).select_from(result))
            texts = connection.scalar(select(func.count()).select_from(text))
        assert (left, bool(texts)) in ((len(RESULTS), True), (0, False))

    kill_before_each(
        url, lambda engine: writes.prune(engine, before=NOW + timedelta(days=1)), there_or_not
    )
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(text)) == 0
