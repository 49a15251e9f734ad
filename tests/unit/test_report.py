"""What the report of a run says, and that a run that lacks something is never told as good."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from harness.cells import Cell
from harness.results import Stage
from runner.core.diff import Diff, diff
from runner.core.judge import judge
from runner.core.known import Known, KnownFailure
from runner.core.numbers import Measure, Move, Numbers
from runner.core.report.made import report
from runner.core.report.markdown import as_markdown
from runner.core.report.reasons import counted, word
from runner.core.report.told import Report, State
from runner.core.runs import Canary, CellVerdict, Run, Verdict
from tests.pulls import seen

PASS, FAIL = Verdict.PASS, Verdict.FAIL
CELLS = [Cell.parse(f"llama/Llama{name}/forward-static/onnx") for name in ("Model", "ForCausalLM")]


def _run(number: int, counts: dict[Verdict, int], *, expected: int | None = None) -> Run:
    return Run(
        id=number,
        uid=f"run-{number}",
        revision=f"5.{number}.0",
        stack={"torch": f"2.1{number}", "onnx": "1.23"},
        selection="smoke",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        closed_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
        expected=sum(counts.values()) if expected is None else expected,
        verdicts=counts,
        duration_s=143.73,
    )


def _found(cell: Cell, verdict: Verdict, title: str | None = None, **more: object) -> CellVerdict:
    failed = verdict is FAIL
    made = CellVerdict(
        cell=cell,
        verdict=verdict,
        stage=Stage.LOWER if failed else None,
        kind="unsupported-op" if failed else None,
        signature="s3-abc" if failed else None,
        title=title,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # any field


def _diff(run: Run, before: Verdict, after: Verdict, title: str = "no such op") -> Diff:
    old = [_found(cell, before, title if before is FAIL else None) for cell in CELLS]
    new = [_found(cell, after, title if after is FAIL else None) for cell in CELLS]
    return diff(_run(1, {before: 2}), run, old, new)


def _told(before: Verdict, after: Verdict, title: str = "no such op") -> Report:
    found = _diff(_run(2, {after: 2}), before, after, title)
    after_side = [item.after for item in found.cells if item.after]
    return report(found.head, after_side, Known(), found)


def test_the_report_opens_with_what_is_lost_and_the_summary_in_pytests_words() -> None:
    told = _told(PASS, FAIL)
    text = as_markdown(told)
    assert told.state is State.LOST
    assert text.startswith("## ❌ 2 exports lost")
    assert "**2 failed in 143.73s (0:02:23)**" in text


def test_a_group_stands_once_with_its_cells() -> None:
    text = as_markdown(_told(PASS, FAIL))
    changes = text.partition("### 2 regressed")[2].partition("###")[0]
    assert changes.count("no such op") == 1
    assert all(f"`{cell.id}` (✅ ⟹ ❌)" in changes for cell in CELLS)


def test_fixes_are_told_with_what_was_wrong() -> None:
    told = _told(FAIL, PASS)
    assert told.state is State.CLEAN
    assert [(each.name, each.groups[0].title) for each in told.sections] == [
        ("fixed", "no such op")
    ]


def test_failures_of_before_are_counted_and_not_listed() -> None:
    told = _told(FAIL, FAIL)
    assert [(each.name, each.count, each.groups) for each in told.sections] == [
        ("still-failing", 2, ())
    ]


@pytest.mark.parametrize(
    ("run", "lacking"),
    [
        (_run(2, {PASS: 1, Verdict.MISSING: 1}), "1 of 2 cells have no result"),
        (_run(2, {PASS: 2}, expected=5), "3 of 5 cells have no result"),
        (replace(_run(2, {PASS: 2}), closed_at=None), "suspects are still to be retried"),
        (_run(2, {}), "no cell was run"),
        (
            replace(_run(2, {PASS: 2}), canary=Canary(differ={CELLS[0].id: "outcome"})),
            "the canary differs from the run's results",
        ),
    ],
)
def test_a_run_that_lacks_something_is_incomplete_whatever_else_it_is(
    run: Run, lacking: str
) -> None:
    told = report(run, [], Known(), _diff(run, PASS, PASS))
    assert told.state is State.INCOMPLETE
    assert "✅" not in told.headline
    assert lacking in as_markdown(told)


def test_a_lost_shard_makes_a_run_incomplete_even_if_all_its_cells_are_there() -> None:
    run = _run(2, {PASS: 2})
    told = report(run, [], Known(), _diff(run, PASS, PASS), lost_shards=("shard 3/8: killed",))
    assert (told.state, told.state.good) == (State.INCOMPLETE, False)
    assert "shard 3/8: killed" in as_markdown(told)


def test_without_a_baseline_nothing_is_said_of_losses() -> None:
    told = report(_run(2, {PASS: 2}), [_found(cell, PASS) for cell in CELLS], Known(), None)
    assert (told.state, told.state.good, told.baseline) == (State.ALONE, False, None)
    assert "✅" not in as_markdown(told)


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("GuardOnDataDependentSymNode: Could not guard on u0", "data-dependent guard"),
        ("Expected cond to be True, but got False", "cond assertion"),
        ("needs timm, which is not installed", "missing package"),
        ("abstract: the base of its model type's classes", "abstract class"),
        ("uses eager MoE implementation which is not torch exportable", "declared skip"),
        ("its forward takes more than tensors: x (Y)", "its forward takes more than tensors"),
        ("Batch of 3 is wrong for FooModel: so", "Batch of N is wrong for …"),
        (None, "no reason given"),
        (" \n", "no reason given"),
    ],
)
def test_reasons_of_skips_are_words_that_can_be_counted(reason: str | None, found: str) -> None:
    assert word(reason) == found


def test_skips_are_counted_by_reason_the_most_frequent_first() -> None:
    reasons = ["needs timm, which is not installed", "abstract: a", "abstract: a", "abstract: b"]
    found = counted(reasons)
    assert [(each.word, each.count, each.example) for each in found] == [
        ("abstract class", 3, "abstract: a"),
        ("missing package", 1, "needs timm, which is not installed"),
    ]


def test_the_slowest_and_the_biggest_are_told_in_order() -> None:
    verdicts = [
        _found(CELLS[0], PASS, duration_s=3.0, peak_rss_bytes=2**31),
        _found(CELLS[1], PASS, duration_s=65.0, peak_rss_bytes=2**20),
    ]
    text = as_markdown(report(_run(2, {PASS: 2}), verdicts, Known(), None))
    slowest = text.partition("### Slowest")[2]
    assert slowest.index("1 min 05 s") < slowest.index("3.00 s")
    biggest = text.partition("### Biggest")[2]
    assert biggest.index("2.0 GiB") < biggest.index("1.0 MiB")


def test_numbers_that_moved_are_told_with_their_noise() -> None:
    run = _run(2, {Verdict.PASS: 1})
    move = Move(cell=CELLS[0], measure=Measure.TIME, before=2.0, after=4.0, noise=0.1, runs=(5, 3))
    found = replace(_diff(run, Verdict.PASS, Verdict.PASS), numbers=Numbers(moved=(move,)))
    told = as_markdown(report(run, [], Known(), found))
    assert "### 1 numbers that moved beyond their noise" in told
    assert f"- ⚠️ `{CELLS[0].id}` export time 2.0 s -> 4.0 s, 2.00 times" in told


def test_versions_that_changed_are_told_with_what_they_were() -> None:
    assert "- `torch` `2.11` ⟹ `2.12`" in as_markdown(_told(PASS, PASS))


def test_known_failures_of_which_nothing_is_left_are_to_be_removed() -> None:
    row = KnownFailure(
        cells="llama/*/forward-static/onnx", reason="no such op", file="k.toml", line=3, last_line=7
    )
    verdicts = [_found(cell, PASS) for cell in CELLS]
    known = judge([row], verdicts, today=date(2026, 11, 25), selection="smoke")
    told = report(_run(2, {PASS: 2}), verdicts, known, None)
    assert [each.place for each in told.stale] == ["k.toml:3-7"]
    assert "### Known failures to remove: 1" in as_markdown(told)


def test_hostile_messages_are_inert() -> None:
    title = "@everyone <img src=x> <!-- export-matrix --> [a](http://evil.example) `x`\n# Heading"
    tags, plain, coded = seen(as_markdown(_told(PASS, FAIL, title)))
    assert "@everyone" not in plain
    assert "@everyone" in coded
    assert not {tag for tag in tags if tag in ("img", "a") or tag.startswith("<!--")}
