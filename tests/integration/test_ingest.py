"""Results that come in by the file: all of it or nothing, from many writers at once, in batches."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from harness.cells import Cell
from harness.errors import RecordError
from harness.results import Outcome, Result, Stage
from runner.core.label import label
from runner.core.runs import CellVerdict, Run, Verdict
from runner.store import reads, tables, writes
from runner.store.attempts import attempts_at
from runner.store.engine import Engine, ensure

CELLS = [Cell.parse(f"m{number}/M{number}/forward-static/onnx") for number in range(120)]
STARTED = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _result(cell: Cell, outcome: Outcome = Outcome.PASS, *, attempt: int = 1) -> Result:
    lost = outcome is not Outcome.PASS
    return label(
        Result(
            cell=cell,
            outcome=outcome,
            run="r1",
            attempt=attempt,
            stage=Stage.CAPTURE if lost else None,
            reason="ValueError: no such thing" if lost else None,
            log_tail="Segmentation fault" if outcome is Outcome.CRASH else None,
            durations_s={"build": 0.5},
            stack={"torch": "2.13"},
        )
    )


def _history() -> list[Result]:
    """Passes, failures, and crashes that were retried: every third cell has two attempts."""
    outcomes = (Outcome.CRASH, Outcome.PASS, Outcome.FAIL)
    first = [_result(cell, outcomes[number % 3]) for number, cell in enumerate(CELLS)]
    again = (Outcome.PASS, Outcome.CRASH)
    return first + [
        _result(cell, again[number % 2], attempt=2) for number, cell in enumerate(CELLS[::3])
    ]


def _write(path: Path, results: Sequence[Result], *, more: str = "") -> Path:
    path.write_text("".join(result.to_line() + "\n" for result in results) + more)
    return path


def _open(engine: Engine) -> Run:
    return writes.open_run(
        engine,
        uid="r1",
        revision="5.23.0",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=STARTED,
        cells=CELLS,
    )


Told = tuple[dict[Verdict, int], list[CellVerdict], list[list[Result]]]


def _told(engine: Engine) -> Told:
    """All that the database says of the run."""
    run = reads.run(engine, "r1")
    attempts = [attempts_at(engine, run.id, cell) for cell in CELLS]
    return dict(run.verdicts), reads.verdicts(engine, run.id), attempts


def _serially(tmp_path: Path, results: Sequence[Result]) -> Told:
    engine = ensure(f"sqlite:///{tmp_path}/serial.db")
    for result in results:
        writes.ingest_results(engine, [result])
    told = _told(engine)
    engine.dispose()
    return told


def _ingest(url: str, files: Sequence[Path]) -> int:
    engine = ensure(url)
    new = sum(writes.ingest_file(engine, file, label=label).new for file in files)
    engine.dispose()
    return new


@pytest.mark.parametrize("opened", [True, False])
def test_processes_that_ingest_overlapping_shards_at_once_equal_a_serial_ingest(
    engine: Engine, url: str, tmp_path: Path, *, opened: bool
) -> None:
    if opened:
        _open(engine)
    results = _history()
    parts = [results[start::16] for start in range(16)]
    files = [_write(tmp_path / f"{n}.jsonl", part) for n, part in enumerate(parts)]
    orders = [files, files[::-1], files[8:] + files[:8]]
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        new = sum(pool.map(_ingest, [url] * 3, orders))
    assert new == len(results)
    assert _told(engine) == _serially(tmp_path, results)


def test_a_bad_line_in_the_middle_of_a_large_file_leaves_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    passed = _result(CELLS[0])
    lines = "".join(passed.replace(attempt=n).to_line() + "\n" for n in range(1, 12_001))
    file = tmp_path / "large.jsonl"
    file.write_text(f"{lines}{{half a line\n{lines}")
    with pytest.raises(RecordError, match=r"large\.jsonl:12001: not JSON .* nothing of the file"):
        writes.ingest_file(engine, file, label=label)
    assert reads.runs(engine) == []
    with engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            assert connection.scalar(select(func.count()).select_from(table)) == 0


@pytest.mark.parametrize("size", [7, 50])
def test_batches_of_any_size_give_the_same(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("runner.store.batches._RESULTS", size)
    results = _history()
    file = _write(tmp_path / "a.jsonl", results)
    first = writes.ingest_file(engine, file, label=label)
    told = _told(engine)
    second = writes.ingest_file(engine, file, label=label)
    assert (first.new, second.new, second.seen) == (len(results), 0, len(results))
    assert told == _told(engine) == _serially(tmp_path, results)


def test_an_interrupted_ingest_is_finished_by_the_next(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.batches._RESULTS", 30)
    results = _history()
    file = _write(tmp_path / "a.jsonl", results)
    merge, merged = writes.merge, []

    def interrupted(*given: object) -> int:
        if len(merged) == 2:
            merge(*given)
            raise KeyboardInterrupt
        merged.append(merge(*given))
        return merged[-1]

    with monkeypatch.context() as patch:
        patch.setattr(writes, "merge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writes.ingest_file(engine, file, label=label)
    done = writes.ingest_file(engine, file, label=label)
    assert (done.new, done.seen) == (len(results) - 60, 60)
    assert _told(engine) == _serially(tmp_path, results)


def test_of_two_lines_of_one_attempt_the_first_counts(engine: Engine, tmp_path: Path) -> None:
    twice = [_result(CELLS[0]), _result(CELLS[0], Outcome.FAIL)]
    done = writes.ingest_file(engine, _write(tmp_path / "a.jsonl", twice), label=label)
    assert (done.new, done.seen) == (1, 1)
    assert reads.run(engine, "r1").verdicts == {Verdict.PASS: 1}


def test_the_summary_of_a_closed_run_counts_what_several_add_at_once(
    engine: Engine, url: str, tmp_path: Path
) -> None:
    _open(engine)
    writes.close_run(engine, "r1", closed_at=STARTED, duration_s=1.0)
    parts = [[_result(cell) for cell in CELLS[start::12]] for start in range(12)]
    files = [_write(tmp_path / f"{n}.jsonl", part) for n, part in enumerate(parts)]
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_ingest, [url] * 3, [files[:6], files[6:], files]))
    assert reads.run(engine, "r1").verdicts == {Verdict.PASS: len(CELLS)}


def test_lone_surrogates_in_a_line_are_read_and_numbers_that_are_none_refused(
    engine: Engine, tmp_path: Path
) -> None:
    line = _result(CELLS[0]).replace(reason="a\ud800b", recipe={"said": "\ud800"}).to_line()
    (tmp_path / "a.jsonl").write_text(f"{line}\n")
    writes.ingest_file(engine, tmp_path / "a.jsonl", label=label)
    assert attempts_at(engine, 1, CELLS[0])[0].recipe == {"said": "\ud800"}
    (tmp_path / "b.jsonl").write_text(line.replace('"peak_rss_bytes":null', '"peak_rss_bytes":NaN'))
    with pytest.raises(RecordError, match="NaN is no JSON number"):
        writes.ingest_file(engine, tmp_path / "b.jsonl", label=label)


def test_a_result_comes_back_with_its_own_stack_and_recipe(engine: Engine) -> None:
    _open(engine)
    sent = _result(CELLS[0]).replace(stack={"torch": "2.14"}, recipe={"limit": float("inf")})
    writes.ingest_results(engine, [sent, _result(CELLS[1])])
    assert attempts_at(engine, 1, CELLS[0]) == [sent.replace(recipe={"limit": "inf"})]
    assert attempts_at(engine, 1, CELLS[1])[0].stack == {"torch": "2.13"}
