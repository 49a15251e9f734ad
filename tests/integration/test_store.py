"""What the database keeps: everything once, nothing half, the same on SQLite and PostgreSQL."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from harness.cells import Cell
from harness.errors import RecordError, SelectionError
from harness.results import Outcome, Result, Stage
from runner.core.label import label
from runner.core.runs import Canary, CellVerdict, Run, Verdict
from runner.core.schedule import measured
from runner.store import reads, resigning, tables, writes
from runner.store.attempts import attempts_at
from runner.store.costs import spent
from runner.store.engine import Engine

CELLS = [Cell.parse(f"m{number}/M{number}/forward-static/onnx") for number in range(6)]
STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)
TRACE = """Traceback (most recent call last):
  File "/site-packages/transformers/models/m0/modeling_m0.py", line 3, in forward
    return self.nothing(x)
ValueError: no such thing
"""


def _open(
    engine: Engine,
    uid: str = "r1",
    cells: Sequence[Cell] = CELLS,
    *,
    started_at: datetime = STARTED,
) -> Run:
    return writes.open_run(
        engine,
        uid=uid,
        revision="5.23.0",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=started_at,
        cells=cells,
    )


def _result(
    cell: Cell, outcome: Outcome = Outcome.PASS, *, uid: str = "r1", attempt: int = 1
) -> Result:
    failed = outcome is Outcome.FAIL
    return label(
        Result(
            cell=cell,
            outcome=outcome,
            run=uid,
            attempt=attempt,
            stage=None if outcome is Outcome.PASS else Stage.CAPTURE,
            traceback=TRACE if failed else None,
            durations_s={"build": 0.5},
            stack={"torch": "2.13"},
        )
    )


def _write(path: Path, results: Sequence[Result], *, more: str = "") -> Path:
    path.write_text("".join(result.to_line() + "\n" for result in results) + more)
    return path


def test_a_run_knows_its_cells_before_any_result(engine: Engine) -> None:
    opened = _open(engine)
    assert opened.verdicts == {Verdict.MISSING: 6}
    assert not opened.complete


def test_opening_a_run_again_changes_nothing(engine: Engine) -> None:
    first = _open(engine)
    writes.ingest_results(engine, [_result(CELLS[0])])
    again = _open(engine)
    assert (again.id, again.expected, again.received) == (first.id, 6, 1)


def test_ingesting_a_file_twice_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    _open(engine)
    file = _write(tmp_path / "a.jsonl", [_result(cell) for cell in CELLS])
    first = writes.ingest_file(engine, file, label=label)
    before = reads.verdicts(engine, 1)
    second = writes.ingest_file(engine, file, label=label)
    assert ((first.new, first.seen), (second.new, second.seen)) == ((6, 0), (0, 6))
    assert reads.verdicts(engine, 1) == before


def test_a_damaged_line_refuses_the_whole_file_and_names_it(engine: Engine, tmp_path: Path) -> None:
    _open(engine)
    file = _write(
        tmp_path / "a.jsonl", [_result(cell) for cell in CELLS[:2]], more='{"schema": 2}\n'
    )
    with pytest.raises(RecordError, match=r"a\.jsonl:3: schema 2"):
        writes.ingest_file(engine, file, label=label)
    assert reads.run(engine, "r1").received == 0


def test_results_of_a_run_that_was_planned_elsewhere_are_taken_but_never_complete(
    engine: Engine,
) -> None:
    writes.ingest_results(engine, [_result(CELLS[0], uid="elsewhere")])
    found = reads.run(engine, "elsewhere")
    assert (found.received, found.expected, found.complete) == (1, 0, False)


def test_a_result_comes_back_whole(engine: Engine) -> None:
    _open(engine)
    sent = _result(CELLS[0], Outcome.FAIL)
    writes.ingest_results(engine, [sent])
    assert attempts_at(engine, 1, CELLS[0]) == [sent]


def test_a_long_text_is_stored_once(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(cell, Outcome.FAIL) for cell in CELLS])
    counted = select(func.count()).where(tables.text.c.body == TRACE)
    with engine.connect() as connection:
        assert connection.scalar(counted) == 1


def test_text_that_no_database_takes_is_kept_readable(engine: Engine) -> None:
    _open(engine)
    hostile = _result(CELLS[0], Outcome.FAIL).replace(traceback="a\x00b\ud800c", reason="x\x00y")
    writes.ingest_results(engine, [hostile])
    found = attempts_at(engine, 1, CELLS[0])[0]
    assert found.traceback is not None
    assert found.traceback.startswith("a�b")


def test_a_crash_that_passes_when_retried_is_flaky(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(CELLS[0], Outcome.CRASH)])
    writes.ingest_results(engine, [_result(CELLS[0], attempt=2)])
    found = reads.verdict(engine, 1, CELLS[0])
    assert found is not None
    assert (found.verdict, found.attempts) == (Verdict.FLAKY, 2)


def test_a_closed_run_that_gets_more_results_tells_them(engine: Engine) -> None:
    _open(engine)
    closed = writes.close_run(engine, "r1", closed_at=STARTED, duration_s=2.0)
    assert not closed.complete
    writes.ingest_results(engine, [_result(cell) for cell in CELLS])
    assert reads.run(engine, "r1").complete


def test_groups_are_counted_with_the_largest_first(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(cell, Outcome.FAIL) for cell in CELLS[:4]])
    writes.ingest_results(engine, [_result(CELLS[4], Outcome.CRASH)])
    assert [group.cells for group in reads.groups(engine, 1)] == [4, 1]
    signature = reads.groups(engine, 1)[0].signature
    cells = reads.group_cells(engine, signature, run_id=1)
    assert len(cells) == 4
    assert attempts_at(engine, 1, cells[0].cell)[0].traceback == TRACE


def test_a_run_is_found_by_number_name_revision_and_latest(engine: Engine) -> None:
    _open(engine)
    _open(engine, "r2")
    found = [reads.run(engine, ref).uid for ref in ("1", "r1", "5.23.0", "latest")]
    assert found == ["r1", "r1", "r2", "r2"]


def test_an_unknown_run_is_answered_with_what_there_is(engine: Engine) -> None:
    with pytest.raises(SelectionError, match="export-matrix run"):
        reads.run(engine, "7")
    _open(engine)
    with pytest.raises(SelectionError, match=r"did you mean '5\.23\.0'"):
        reads.run(engine, "5.23.1")


def test_the_baseline_is_the_newest_earlier_complete_run(engine: Engine) -> None:
    for uid, share in (("r1", 6), ("r2", 6), ("r3", 3), ("r4", 6)):
        _open(engine, uid)
        writes.ingest_results(engine, [_result(cell, uid=uid) for cell in CELLS[:share]])
        writes.close_run(engine, uid, closed_at=STARTED, duration_s=1.0)
    baseline = reads.previous_complete(engine, reads.run(engine, "r4"))
    assert baseline is not None
    assert baseline.uid == "r2"
    assert reads.previous_complete(engine, reads.run(engine, "r1")) is None


def test_signing_history_again_moves_results_to_their_new_group(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(cell, Outcome.FAIL) for cell in CELLS])

    def otherwise(found: Result) -> Result:
        return found.replace(kind="renamed", signature="s2-0", title="another title")

    assert resigning.resign(engine, otherwise).moved == 6
    assert [group.kind for group in reads.groups(engine, 1)] == ["renamed"]
    assert resigning.resign(engine, otherwise).moved == 0


def test_pruning_removes_old_runs_and_the_texts_that_only_they_had(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(cell, Outcome.FAIL) for cell in CELLS])
    assert writes.prune(engine, before=STARTED + timedelta(days=1)) == 1
    assert reads.runs(engine) == []
    with engine.connect() as connection:
        for table in (tables.result, tables.verdict, tables.text):
            assert connection.scalar(select(func.count()).select_from(table)) == 0


def test_pruning_keeps_the_texts_that_younger_runs_share(engine: Engine) -> None:
    _open(engine)
    writes.ingest_results(engine, [_result(cell, Outcome.FAIL) for cell in CELLS])
    _open(engine, "r2", started_at=STARTED + timedelta(days=2))
    younger = [_result(cell, Outcome.FAIL, uid="r2") for cell in CELLS]
    writes.ingest_results(engine, younger)
    assert writes.prune(engine, before=STARTED + timedelta(days=1)) == 1
    kept = reads.run(engine, "r2")
    assert [attempts_at(engine, kept.id, cell)[0] for cell in CELLS] == younger


def test_writers_at_the_same_time_lose_and_double_nothing(engine: Engine) -> None:
    cells = [Cell.parse(f"c{number}/C/forward-static/onnx") for number in range(60)]
    _open(engine, cells=cells)
    failures: list[Exception] = []

    def write(results: Sequence[Result]) -> None:
        try:
            for start in range(0, len(results), 10):
                writes.ingest_results(engine, results[start : start + 10])
        except Exception as error:  # noqa: BLE001  (told by the assertion, not lost in a thread)
            failures.append(error)

    results = [_result(cell, Outcome.FAIL) for cell in cells]
    writers = [
        threading.Thread(target=write, args=(part,)) for part in (results, results[::-1]) * 2
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert reads.run(engine, "r1").verdicts == {Verdict.FAIL: 60}
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.result)) == 60


def test_two_attempts_that_arrive_at_once_are_folded_together(engine: Engine) -> None:
    _open(engine)
    attempts = [[_result(cell, Outcome.CRASH) for cell in CELLS]]
    attempts += [[found.replace(attempt=2, outcome=Outcome.PASS) for found in attempts[0]]]
    together = threading.Barrier(2)

    def write(results: Sequence[Result]) -> None:
        together.wait()
        writes.ingest_results(engine, results)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, attempts))
    assert reads.run(engine, "r1").verdicts == {Verdict.FLAKY: 6}


def test_the_canaries_of_a_runs_shares_are_kept_together(engine: Engine) -> None:
    _open(engine)
    assert reads.run(engine, "r1").canary is None
    first = Canary(same=["a"], differ={"b": "another program"})
    for found in (first, Canary(same=["c"]), first):
        writes.note_canary(engine, "r1", found)
    kept = reads.run(engine, "r1")
    assert kept.canary == Canary(same=["a", "c"], differ={"b": "another program"})
    assert kept.doubtful


def test_what_a_cell_took_is_what_it_took_in_the_newest_run_that_executed_it(
    engine: Engine,
) -> None:
    old, skipped = CELLS[:2]
    for uid, seconds, mib in (("r1", 9.0, 100), ("r2", 2.0, 300)):
        _open(engine, uid)
        took = _result(old, uid=uid).replace(
            durations_s={"lower": seconds}, peak_rss_bytes=mib << 20, cpu_s=seconds / 2
        )
        not_run = _result(skipped, Outcome.SKIP, uid=uid).replace(durations_s={})
        writes.ingest_results(engine, [took, not_run])
    _open(engine, "r3")
    found = spent(engine)
    assert (found.seconds, found.mib) == ({old.id: 2.0}, {old.id: 301})
    newest = reads.run(engine, "r2").id
    assert [each.cpu_s for each in reads.verdicts(engine, newest) if each.cell == old] == [1.0]


def test_a_run_keeps_the_schedule_of_the_pass_that_executed_most(engine: Engine) -> None:
    _open(engine)
    for spans in ([(0.0, 1.0)] * 3, [(0.0, 2.0)]):
        found = measured(spans, workers=2)
        assert found is not None
        writes.note_schedule(engine, "r1", found)
    kept = reads.run(engine, "r1").schedule
    assert kept is not None
    assert (kept.cells, kept.makespan_s, kept.bound_s) == (3, 1.0, 1.5)


def test_a_verdicts_columns_are_read_in_the_order_of_its_fields() -> None:
    columns = [column.name for column in reads.VERDICTS.selected_columns]
    names = [field.name for field in fields(CellVerdict)]
    assert columns[: len(names)] == names
