"""Numbers that moved between runs, as the database knows their noise."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest
from fastapi.testclient import TestClient

from dashboard.app import create_app
from harness.cells import Cell
from harness.results import ComponentResult, Outcome, Result
from runner.core.change import Change
from runner.core.diff import Diff
from runner.core.numbers import Measure
from runner.core.record import record_of
from runner.core.render import as_markdown, as_text
from runner.steps.comparing import compare_runs
from runner.store import moved, reads, writes
from runner.store.engine import Engine
from tests.seed import seed

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def _runs(
    engine: Engine, revision: str, seconds: Sequence[float], nodes: int, *, torch: str = "2.13"
) -> None:
    for number, spent in enumerate(seconds):
        uid = f"{revision}-{torch}-{number}"
        stack = {"torch": torch, "transformers": revision}
        planned = {"uid": uid, "revision": revision, "stack": stack}
        writes.open_run(engine, **planned, selection="all", started_at=NOW, cells=[CELL])  # type: ignore[arg-type]  # its columns
        part = ComponentResult(name="model", outcome=Outcome.PASS, graph_nodes=nodes)
        result = Result(
            cell=CELL,
            outcome=Outcome.PASS,
            run=uid,
            revision=revision,
            stack=stack,
            components=(part,),
            durations_s={"build": 9.0, "capture": spent / 2, "lower": spent / 2},
        )
        writes.ingest_results(engine, [result])
        writes.close_run(engine, uid, closed_at=NOW, duration_s=1.0)


def test_export_time_and_graph_size_that_moved_are_told_everywhere(engine: Engine) -> None:
    _runs(engine, "5.22.2", [4.0, 4.4, 4.2], nodes=100)
    _runs(engine, "5.23.0", [9.0, 9.6, 9.2], nodes=140)
    found = compare_runs(engine, "5.22.2", "5.23.0")
    time, size = found.numbers.moved
    assert (time.measure, time.before, time.after, time.runs) == (Measure.TIME, 4.0, 9.0, (3, 3))
    assert (size.measure, size.before, size.after, size.noise) == (Measure.SIZE, 100, 140, 0)
    assert "export time 4.0 s -> 9.0 s, 2.25 times (noise 0.4 s; 3 and 3 runs)" in as_text(found)
    assert "#### 2 numbers that moved beyond their noise" in as_markdown(found)
    assert [each["measure"] for each in record_of(found)["numbers"]["moved"]] == [
        "export_s",
        "graph_nodes",
    ]
    page = TestClient(create_app(engine)).get("/diff/5.22.2/5.23.0").text
    assert "graph size 100 nodes -&gt; 140 nodes" in page


@pytest.mark.parametrize("which", list(permutations(range(3), 2)))
def test_a_diff_that_only_counts_what_came_to_the_same_tells_the_same(
    engine: Engine, which: tuple[int, int]
) -> None:
    seed(engine)
    runs = reads.runs(engine)
    names = str(runs[which[0]].id), str(runs[which[1]].id)
    whole = compare_runs(engine, *names)
    for read, counted in (
        (moved.not_passing, [Change.STILL_PASSING]),
        (moved.moved_or_apart, [each for each in Change if not each.told]),
    ):
        told = compare_runs(engine, *names, read=read)
        assert (told.counts, told.groups, told.numbers) == (
            whole.counts,
            whole.groups,
            whole.numbers,
        )
        assert (told.losses, told.doubts) == (whole.losses, whole.doubts)
        assert _changed(told, counted) == _changed(whole, counted)
        assert len(told.cells) < len(whole.cells)


def _changed(found: Diff, but: Collection[Change]) -> list[tuple[Cell, Change, object]]:
    """What each cell of the other changes came to, and in which group."""
    return [
        (each.cell, each.change, each.group and each.group.signature)
        for each in found.cells
        if each.change not in but
    ]


def test_too_few_runs_are_counted_and_those_of_another_stack_are_none(engine: Engine) -> None:
    _runs(engine, "5.22.2", [4.0, 4.1], nodes=100, torch="2.12")
    _runs(engine, "5.22.2", [4.0], nodes=100)
    _runs(engine, "5.23.0", [9.0], nodes=140)
    found = compare_runs(engine, "5.22.2", "5.23.0")
    assert found.numbers.moved == ()
    assert found.numbers.too_few == 2
    assert "2 numbers that are apart in too few runs to tell" in as_text(found)


def test_where_a_revision_ran_once_the_runs_before_it_show_the_noise(engine: Engine) -> None:
    for revision in ("a" * 12, "b" * 12, "c" * 12):
        _runs(engine, revision, [4.0], nodes=100)
    _runs(engine, "d" * 12, [4.1], nodes=140)
    found = compare_runs(engine, "c" * 12, "d" * 12)
    [size] = found.numbers.moved
    assert (size.measure, size.runs) == (Measure.SIZE, (3, 1))
