"""Which cells a canary compares, and what it says of them."""

from collections import Counter

import pytest

from harness.cells import Cell
from harness.results import ComponentResult, Outcome, Result, Stage
from runner.core.canary import comparable, compare, merged, sample, usual_size
from runner.core.runs import Canary

CELL = Cell.parse("bert/BertModel/forward-static/onnx")


def _result(outcome: Outcome = Outcome.PASS, **more: object) -> Result:
    part = ComponentResult(name="model", outcome=Outcome.PASS, digest="d1")
    return Result(cell=CELL, outcome=outcome, components=(part,)).replace(**more)


def _compared(forked: Result, cold: Result) -> Canary:
    return compare({CELL: forked}, {CELL: cold})


def test_a_sample_is_the_same_each_time_and_spread_over_backends_and_variants() -> None:
    cells = [
        Cell.parse(f"m{n}/M/{variant}/{backend}")
        for n in range(200)
        for variant in ("forward-static", "forward-dynamic")
        for backend in ("dynamo", "onnx")
    ]
    rare = [Cell.parse(f"m{n}/M/forward-static/executorch") for n in range(6)]
    chosen = sample("run", [*cells, *rare], 20)
    assert chosen == sample("run", [*rare, *reversed(cells)], 20)
    assert chosen != sample("another run", [*cells, *rare], 20)
    counts = Counter((cell.backend, cell.variant) for cell in chosen)
    assert set(Counter(cell.backend for cell in chosen).values()) == {6, 7}
    assert max(counts["onnx", v] for _, v in counts) - min(counts.values()) <= 4
    assert len(set(chosen)) == 20


@pytest.mark.parametrize(
    ("executed", "size"), [(0, 0), (24, 0), (25, 1), (300, 12), (500, 20), (40_000, 20)]
)
def test_a_small_run_is_not_doubled_and_a_large_one_compares_twenty(
    executed: int, size: int
) -> None:
    assert usual_size(executed) == size


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([_result()], True),
        ([_result(Outcome.FAIL, stage=Stage.LOWER, reason="no such op")], True),
        ([_result(Outcome.ERROR, stage=Stage.BUILD, reason="no tiny size")], True),
        ([_result(Outcome.ERROR, reason="the harness broke: TypeError")], False),
        ([_result(Outcome.SKIP)], False),
        ([_result(carried_from="an earlier run")], False),
        ([_result(Outcome.TIMEOUT, stage=Stage.LOWER)], False),
        ([_result(Outcome.CRASH, stage=Stage.LOWER), _result(attempt=2)], False),
    ],
)
def test_only_what_was_executed_here_and_trusted_at_once_is_compared(
    results: list[Result], expected: bool
) -> None:
    assert list(comparable(results)) == ([CELL] if expected else [])


def test_equal_programs_and_outcomes_are_the_same() -> None:
    found = _compared(_result(durations_s={"lower": 1.0}), _result(durations_s={"lower": 9.0}))
    assert (found.same, found.differ, found.compared) == ([CELL.id], {}, 1)


@pytest.mark.parametrize(
    ("cold", "told"),
    [
        (
            _result(Outcome.FAIL, stage=Stage.LOWER, signature="s1-a", title="no such op"),
            "pass where forked, fail at lower (no such op) in a cold process",
        ),
        (
            _result(components=(ComponentResult(name="model", outcome=Outcome.PASS, digest="d2"),)),
            "another program in a cold process: model",
        ),
        (_result(components=()), "another program in a cold process: model"),
    ],
)
def test_another_outcome_or_another_program_is_a_difference(cold: Result, told: str) -> None:
    assert _compared(_result(), cold).differ == {CELL.id: told}


def test_another_cause_of_the_same_outcome_is_a_difference() -> None:
    one, other = (
        _result(Outcome.FAIL, stage=Stage.LOWER, signature=signature) for signature in ("a", "b")
    )
    assert _compared(one, one).differ == {}
    assert list(_compared(one, other).differ) == [CELL.id]


@pytest.mark.parametrize(
    "cold",
    [
        _result(Outcome.TIMEOUT, reason="over the time limit"),
        _result(Outcome.ERROR, reason="the harness broke: ImportError"),
    ],
)
def test_a_cold_process_that_came_to_no_end_is_counted_and_says_nothing(cold: Result) -> None:
    found = _compared(_result(), cold)
    assert (found.compared, found.not_compared) == (0, {CELL.id: cold.reason})
    assert compare({CELL: _result()}, {}).not_compared == {CELL.id: "no result"}


def test_shares_of_a_run_add_up_and_the_later_word_on_a_cell_stands() -> None:
    one = Canary(same=["a"], differ={"b": "another program"}, not_compared={"c": "no result"})
    other = Canary(same=["c"], differ={"d": "another program"})
    both = merged(one, other)
    assert (both.same, list(both.differ), both.not_compared) == (["a", "c"], ["b", "d"], {})
    assert merged(both, both) == both
