"""What several runs tell, on SQLite and PostgreSQL, and that no question walks history."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.label import label
from runner.core.runs import Audit, Run, Verdict
from runner.store import history, moved, reads, writes
from runner.store.engine import Engine
from runner.store.fingerprints import note_audit

CELL = Cell.parse("m/M/forward-static/onnx")
OTHER = Cell.parse("m/M/forward-dynamic/onnx")
STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRACE = """Traceback (most recent call last):
  File "/site-packages/transformers/models/m/modeling_m.py", line 3, in forward
    return self.nothing(x)
ValueError: no such thing
"""
_LETTERS = {
    "P": Outcome.PASS,
    "F": Outcome.FAIL,
    "T": Outcome.TIMEOUT,
    "S": Outcome.SKIP,
    "E": Outcome.ERROR,
}


def _result(cell: Cell, letters: str, uid: str) -> list[Result]:
    """An attempt for each letter; `.` is none, `C` a pass that was carried over."""
    return [
        label(
            Result(
                cell=cell,
                run=uid,
                attempt=number,
                outcome=_LETTERS.get(letter, Outcome.PASS),
                stage=Stage.CAPTURE if letter in "FT" else None,
                traceback=TRACE if letter == "F" else None,
                carried_from="r0" if letter == "C" else None,
                stack={"torch": "2.13"},
            )
        )
        for number, letter in enumerate(letters, 1)
        if letter != "."
    ]


def _run(
    engine: Engine,
    number: int,
    told: dict[Cell, str],
    *,
    revision: str = "5.23.0",
    torch: str = "2.13",
) -> Run:
    uid = f"r{number}"
    writes.open_run(
        engine,
        uid=uid,
        revision=revision,
        stack={"torch": torch},
        selection="smoke",
        started_at=STARTED + timedelta(days=number),
        cells=list(told),
    )
    writes.ingest_results(
        engine, [each for cell, letters in told.items() for each in _result(cell, letters, uid)]
    )
    return writes.close_run(engine, uid, closed_at=STARTED, duration_s=1.0)


def _story(engine: Engine, letters: str, *, cell: Cell = CELL, **more: str) -> list[Run]:
    """A run for each word."""
    return [_run(engine, n, {cell: word}, **more) for n, word in enumerate(letters.split(), 1)]


def _number(run: Run | None) -> int | None:
    """Its place in the story; a database may leave numbers out."""
    return run and int(run.uid.removeprefix("r"))


@pytest.mark.parametrize(
    ("letters", "good", "bad"),
    [
        ("P P F F", 2, 3),
        ("F F", None, 1),
        ("P P", 2, None),
        ("P F P F", 3, 4),
        # what says nothing is neither
        ("P S . E F", 1, 5),
        ("P T F", 1, 2),
    ],
)
def test_a_cell_broke_between_its_last_good_and_its_first_bad_run(
    engine: Engine, letters: str, good: int | None, bad: int | None
) -> None:
    runs = _story(engine, letters)
    found = history.turn(engine, CELL, until=runs[-1].id)
    assert (_number(found.last_good), _number(found.first_bad)) == (good, bad)


def test_an_earlier_run_sees_where_the_cell_had_broken_then(engine: Engine) -> None:
    runs = _story(engine, "P F P F")
    found = history.turn(engine, CELL, until=runs[1].id)
    assert (_number(found.last_good), _number(found.first_bad)) == (1, 2)


def test_a_group_lives_from_its_first_run_to_its_last(engine: Engine) -> None:
    runs = _story(engine, "P F P F P")
    signature = reads.groups(engine, runs[1].id)[0].signature
    found = history.life(engine, signature)
    assert found is not None
    assert (_number(found.first), _number(found.last)) == (2, 4)
    assert found.first.started_at == STARTED + timedelta(days=2)
    assert history.life(engine, "s1-nothing") is None


def test_the_flakiest_cells_come_first_with_their_flips(engine: Engine) -> None:
    for number, letters in enumerate(["P P", "P F", "P P", "P F"], 1):
        steady, flips = letters.split()
        _run(engine, number, {OTHER: steady, CELL: flips})
    [(cell, found)] = history.flakiest(engine)
    assert (cell, found.flips, found.considered, found.percent) == (CELL, 3, 4, 75)


def test_attempts_of_one_run_that_disagree_are_a_flip(engine: Engine) -> None:
    _run(engine, 1, {CELL: "TP"})
    [(_, found)] = history.flakiest(engine)
    assert (found.flips, found.considered) == (1, 1)
    assert found.runs[0].verdict is Verdict.FLAKY


@pytest.mark.parametrize("changed", [{"revision": "5.24.0"}, {"torch": "2.14"}])
def test_a_change_of_revision_or_stack_is_no_flip(engine: Engine, changed: dict[str, str]) -> None:
    _run(engine, 1, {CELL: "P"})
    _run(engine, 2, {CELL: "F"}, **changed)
    assert history.flakiest(engine) == []


def test_what_an_audit_found_to_differ_is_a_flip_whatever_the_revision(engine: Engine) -> None:
    _run(engine, 1, {CELL: "P"})
    _run(engine, 2, {CELL: "F"}, revision="5.24.0")
    note_audit(engine, "r2", Audit(carried=9, audited=1, missed=(CELL.id,)))
    [(_, found)] = history.flakiest(engine)
    assert (found.flips, found.considered) == (1, 2)


def test_what_was_carried_over_is_not_considered(engine: Engine) -> None:
    _story(engine, "P C C F")
    [(_, found)] = history.flakiest(engine)
    assert (found.flips, found.considered) == (1, 2)


def test_only_the_last_runs_count(engine: Engine) -> None:
    _story(engine, "P F F P P P")
    assert history.flakiest(engine, last=3) == []


def test_a_run_of_one_backend_is_explained_by_anothers(engine: Engine) -> None:
    witness = Cell.parse("m/M/forward-static/dynamo")
    _run(engine, 1, {witness: "F"}, revision="5.22.2")
    _run(engine, 2, {witness: "P"})
    run = _run(engine, 3, {CELL: "F", OTHER: "."})
    _run(engine, 4, {OTHER: "P", witness: "."})
    [found] = history.kin(engine, run, [CELL]).values()
    assert {cell: each.verdict for cell, each in found.items()} == {
        CELL: Verdict.FAIL,
        OTHER: Verdict.PASS,
        witness: Verdict.PASS,
    }


def test_a_runs_own_result_speaks_before_a_newer_ones(engine: Engine) -> None:
    runs = _story(engine, "F P")
    [found] = history.kin(engine, runs[0], [CELL]).values()
    assert [each.verdict for each in found.values()] == [Verdict.FAIL]


# ── plans ───────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def _statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []

    def keep(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:  # noqa: ANN401  (the driver's)
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield seen
    event.remove(engine, "before_cursor_execute", keep)


def _plan(connection: Connection, statement: str, parameters: Any) -> str:  # noqa: ANN401  (the driver's)
    explain = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    rows = connection.exec_driver_sql(explain + statement, parameters).all()
    return "\n".join(str(row[-1]) for row in rows)


def _signature(engine: Engine) -> str:
    return reads.groups(engine, reads.run(engine, "r2").id)[0].signature


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: history.past(engine, CELL),
        lambda engine: history.turn(engine, CELL, until=4),
        lambda engine: history.life(engine, _signature(engine)),
        history.flakiest,
        lambda engine: history.kin(engine, reads.run(engine, "r2"), [CELL]),
        lambda engine: reads.group(engine, _signature(engine)),
        lambda engine: reads.group_runs(engine, _signature(engine)),
    ],
    ids=["past", "turn", "life", "flakiest", "kin", "group", "group_runs"],
)
def test_no_question_walks_history(engine: Engine, ask: Callable[[Engine], object]) -> None:
    _story(engine, "P F P F")
    with _statements(engine) as seen:
        ask(engine)
    assert seen
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # Tables of four rows are scanned whatever their indexes; what matters is what could be.
            connection.execute(text("SET enable_seqscan = off"))
        plans = [_plan(connection, *each) for each in seen]
    walked = re.compile(r"Seq Scan on (?:verdict|result)\b|SCAN (?:verdict|result)\b(?! USING)")
    assert [plan for plan in plans if walked.search(plan)] == []
    assert any(re.search(r"verdict", plan) for plan in plans)


def test_what_is_lost_is_told_by_the_line_s_own_runs(engine: Engine) -> None:
    told = ("PP", "FF", "PF", "FF", "FP")
    runs = [
        _run(engine, number, {CELL: letters[0], OTHER: letters[1]})
        for number, letters in enumerate(told)
    ]
    first, second, between, third, newest = (run.id for run in runs)
    line = [first, second, third]
    assert moved.passed_last(engine, newest, line) == {first: 1}
    assert moved.passed_last(engine, newest, [*line, between]) == {between: 1}
    assert moved.passed_last(engine, third, [first, second]) == {first: 2}
    assert moved.passed_last(engine, third, [second]) == {}
