"""History is labelled again: results move, groups go on with what was said of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.classify import Classification
from runner.core.label import label
from runner.store import reads, resigning, tables, writes
from runner.store.attempts import attempts_at
from runner.store.engine import Engine

CELLS = [Cell.parse(f"toy/Toy{number}/forward-static/onnx") for number in range(6)]
STARTED = datetime(2026, 11, 1, tzinfo=UTC)


def _open(engine: Engine, uid: str = "r1") -> None:
    writes.open_run(
        engine,
        uid=uid,
        revision="5.23.0",
        stack={"torch": "2.13.0"},
        selection="all",
        started_at=STARTED,
        cells=CELLS,
    )


def _failed(cell: Cell, signature: str, *, uid: str = "r1", attempt: int = 1) -> Result:
    return Result(
        cell=cell,
        run=uid,
        attempt=attempt,
        outcome=Outcome.FAIL,
        stage=Stage.LOWER,
        kind="old",
        signature=signature,
        title=f"title of {signature}",
        traceback="Traceback\nKeyError: 1\n",
        durations_s={"lower": float(attempt)},
        revision="5.23.0",
        stack={"torch": "2.13.0"},
    )


class By:
    """A label by the number of the model class, counting what it is asked."""

    def __init__(self, signatures: Sequence[str], kind: str = "new") -> None:
        self.asked = 0
        self._signatures, self._kind = signatures, kind

    def __call__(self, found: Result) -> Result:
        self.asked += 1
        signature = self._signatures[int(found.cell.model_class[3:])]
        title = f"new title of {signature}"
        return found.replace(signature=signature, kind=self._kind, title=title)


def _rows(engine: Engine) -> dict[str, int]:
    """signature -> the row that it is the name of, on which hangs what was said of a group."""
    with engine.connect() as connection:
        asked = select(tables.failure_group.c.signature, tables.failure_group.c.id)
        return {row.signature: row.id for row in connection.execute(asked)}


def _stored(engine: Engine) -> dict[str, str | None]:
    """model class -> the signature of its verdict, which its attempts have too."""
    run = reads.run(engine, "latest")
    for each in reads.verdicts(engine, run.id):
        assert {item.signature for item in attempts_at(engine, run.id, each.cell)} == {
            each.signature
        }
    return {each.cell.model_class: each.signature for each in reads.verdicts(engine, run.id)}


def _ingest(engine: Engine, signatures: Sequence[str]) -> None:
    _open(engine)
    pairs = zip(CELLS, signatures, strict=True)
    writes.ingest_results(engine, [_failed(cell, signature) for cell, signature in pairs])


@pytest.mark.parametrize(
    ("before", "after", "goes_on"),
    [
        ("aaaaaa", "bbbbbb", {"a": "b"}),
        ("aaaaaa", "bbbbcc", {"a": "b"}),
        ("aaaabb", "cccccc", {"a": "c", "b": "b"}),
        ("aaaabb", "bbbbaa", {"a": "b", "b": "a"}),
        # newer results had the signature already: their row has the old name now, and no results
        ("aaaabb", "bbbbbb", {"a": "b", "b": "a"}),
        ("aaabbc", "bbbccc", {"a": "b", "b": "c", "c": "a"}),
        ("aaaabb", "baaabb", {"a": "a", "b": "b"}),
    ],
)
def test_a_group_goes_on_and_every_result_is_in_its_own(
    engine: Engine, before: str, after: str, goes_on: Mapping[str, str]
) -> None:
    _ingest(engine, [f"s1-{name}" for name in before])
    rows = _rows(engine)
    signatures = [f"s1-{name}" for name in after]
    resigning.resign(engine, By(signatures))
    assert list(_stored(engine).values()) == signatures
    now = _rows(engine)
    assert {old: now[f"s1-{new}"] for old, new in goes_on.items()} == {
        old: rows[f"s1-{old}"] for old in goes_on
    }
    assert set(rows.values()) <= set(now.values()), "a group was lost"


def test_signing_again_changes_nothing_the_second_time(engine: Engine) -> None:
    _ingest(engine, ["s1-a"] * 3 + ["s1-b"] * 3)
    other = By(["s2-a", "s2-a", "s2-c", "s2-b", "s2-b", "s2-a"])
    assert resigning.resign(engine, other).moved > 0
    rows = _rows(engine)
    again = resigning.resign(engine, other)
    assert (again.moved, again.groups.renamed, _rows(engine)) == (0, {}, rows)


def test_verdicts_and_groups_say_what_the_rules_say_now(engine: Engine) -> None:
    _ingest(engine, ["s1-a"] * 6)
    resigning.resign(engine, By(["s1-a"] * 6, kind="finer"))
    run = reads.run(engine, "latest")
    assert {each.kind for each in reads.verdicts(engine, run.id)} == {"finer"}
    groups = reads.groups(engine, run.id)
    assert [(group.kind, group.title) for group in groups] == [("finer", "new title of s1-a")]


def test_a_group_whose_owner_is_another_now_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ingest(engine, ["s1-a"] * 6)
    monkeypatch.setattr(
        "runner.store.rows.classify",
        lambda found: Classification(rule="r", kind="new", owner="onnxscript"),
    )
    resigning.resign(engine, By(["s1-a"] * 6))
    run = reads.run(engine, "latest")
    assert [group.owner for group in reads.groups(engine, run.id)] == ["onnxscript"]


def test_a_verdict_of_several_attempts_is_folded_anew(engine: Engine) -> None:
    _ingest(engine, ["s1-a"] * 6)
    writes.ingest_results(engine, [_failed(cell, "s1-a", attempt=2) for cell in CELLS])
    signatures = [f"s2-{name}" for name in "abcabc"]
    resigning.resign(engine, By(signatures))
    assert list(_stored(engine).values()) == signatures
    found = reads.verdicts(engine, reads.run(engine, "latest").id)
    assert {(each.kind, each.attempts) for each in found} == {("new", 2)}


def test_what_is_the_same_every_night_is_labelled_once(engine: Engine) -> None:
    once = By(["s2-a"] * 6)
    for night in range(5):
        _open(engine, f"r{night}")
        nightly = [_failed(cell, "s1-a", uid=f"r{night}", attempt=night + 1) for cell in CELLS]
        writes.ingest_results(engine, nightly)
    assert resigning.failures(engine) == 30
    resigning.resign(engine, once)
    assert once.asked == len(CELLS)
    assert list(_stored(engine).values()) == ["s2-a"] * 6


def test_groups_that_another_version_named_are_counted_until_they_are_signed_again(
    engine: Engine,
) -> None:
    _ingest(engine, ["s1-a"] * 3 + ["s1-b"] * 3)
    assert resigning.outdated(engine) == 2
    resigning.resign(engine, label)
    assert resigning.outdated(engine) == 0
