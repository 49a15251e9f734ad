"""What may be said of a failure group, when it reopens, and what a merge keeps."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from packaging.version import Version

from harness.cells import Cell
from harness.errors import MatrixError, TriageError
from runner.core.regrouping import Regrouping, Rule, check_merge, of_cells
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.triage import (
    UNTOUCHED,
    Edit,
    Moment,
    State,
    Triage,
    changes,
    comes_back,
    edited,
    in_words,
    merged,
    muted,
    reopened,
)

TODAY = date(2026, 11, 25)
MOMENT = Moment(who="ada", today=TODAY, newest_run=7)


def _run(
    number: int, *, version: str = "5.23.0", closed: bool = True, selection: str = "all"
) -> Run:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    return Run(
        id=number,
        uid=f"r{number}",
        revision=version,
        stack={"transformers": version},
        selection=selection,
        started_at=at,
        closed_at=at if closed else None,
        expected=1,
        verdicts={Verdict.FAIL: 1},
    )


def test_an_edit_changes_what_was_typed_and_nothing_else() -> None:
    before = Triage(state=State.INVESTIGATING, note="it is the mask", version=3)
    after = edited(before, Edit(assignee="me", issue="pytorch/pytorch#12"), MOMENT)
    issue = "https://github.com/pytorch/pytorch/issues/12"
    assert after == replace(before, assignee="ada", issue=issue)
    assert changes(before, after)[1] == {"assignee": "ada", "issue": issue}


def test_the_empty_text_clears_a_field() -> None:
    before = Triage(assignee="ada", muted_until="2026-12-24", note="x")
    after = edited(before, Edit(assignee="", muted_until=" ", note=""), MOMENT)
    assert (after.assignee, after.muted_until, after.note) == (None, None, "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (Edit(state="upstream"), "needs the issue"),
        (Edit(state="known"), "needs a reason"),
        (Edit(state="won't fix"), "needs a reason"),
        (Edit(state="done"), "no state"),
        (Edit(assignee="<b>ada</b>"), "nobody's name"),
        (Edit(issue="javascript:alert(1)"), "no issue"),
        (Edit(issue="https://a b"), "no issue"),
        (Edit(muted_until="2026-11-25"), "over already"),
        (Edit(muted_until="next week"), "a day such as"),
        (Edit(state="fixed", fixed_in="soon"), "a version such as"),
        (Edit(note="x" * 20_001), "at most 20,000"),
    ],
)
def test_what_lacks_a_reason_or_cannot_be_read_is_refused(typed: Edit, told: str) -> None:
    with pytest.raises(TriageError, match=told):
        edited(UNTOUCHED, typed, MOMENT)


def test_a_reason_makes_every_state_possible() -> None:
    for state in State:
        typed = Edit(state=state, note="see the paper", issue="o/r#1")
        assert edited(UNTOUCHED, typed, MOMENT).state is state


def test_a_mute_ends_on_its_day_or_with_its_version() -> None:
    day, version = Triage(muted_until="2026-11-26"), Triage(muted_until="5.24.0")
    assert muted(day, today=TODAY, version=None)
    assert not muted(day, today=date(2026, 11, 26), version=None)
    assert muted(version, today=TODAY, version=Version("5.24.0.dev0"))
    assert not muted(version, today=TODAY, version=Version("5.24.0"))
    assert not muted(version, today=TODAY, version=None)


def test_a_fixed_group_comes_back_with_a_newer_complete_run() -> None:
    fixed = edited(UNTOUCHED, Edit(state="fixed"), MOMENT)
    assert fixed.fixed_run == 7
    assert comes_back(fixed, _run(8))
    assert not comes_back(fixed, _run(7))
    assert not comes_back(fixed, _run(8, closed=False))
    assert not comes_back(fixed, _run(8, selection="of pull requests: x"))
    back = reopened(replace(fixed, muted_until="2027-01-01"), _run(8))
    assert (back.state, back.returned_run, back.muted_until) == (State.NEW, 8, None)
    assert in_words(back) == "came back in run 8"


def test_what_is_fixed_in_a_version_is_not_back_before_it() -> None:
    fixed = edited(UNTOUCHED, Edit(state="fixed", fixed_in="5.24"), MOMENT)
    assert not comes_back(fixed, _run(8, version="5.23.0"))
    assert comes_back(fixed, _run(8, version="5.24.0"))


def test_a_merge_keeps_what_was_said_of_both() -> None:
    into = Triage(assignee="ada", note="mine")
    other = Triage(state=State.UPSTREAM, issue="https://x.org/1", assignee="bob", note="theirs")
    both = merged(into, other, name="s3-1")
    assert (both.state, both.assignee, both.issue) == (State.UPSTREAM, "ada", other.issue)
    assert both.note == "mine\n\n*Of s3-1:* theirs"


def test_a_merge_mutes_no_more_than_both_did() -> None:
    day, later = Triage(muted_until="2026-12-01"), Triage(muted_until="2026-12-24")
    assert merged(day, later, name="x").muted_until == "2026-12-01"
    assert merged(UNTOUCHED, day, name="x").muted_until is None


def _failed(cell: str, signature: str) -> CellVerdict:
    return CellVerdict(cell=Cell.parse(cell), verdict=Verdict.FAIL, signature=signature)


def test_merged_groups_are_told_as_the_last_one_and_split_cells_as_their_own() -> None:
    rules = Regrouping(
        (
            Rule(group="a", into="b"),
            Rule(group="b", into="c"),
            Rule(group="a", into="a.2", cells=of_cells("model:llama")),
        )
    )
    llama, bert = (
        rules.told(_failed(f"{model}/M/forward-static/onnx", "a")) for model in ("llama", "bert")
    )
    assert (llama.signature, bert.signature) == ("a.2", "c")
    assert rules.whole("a") == "c"
    assert rules.sources("c") == ["c", "b", "a"]


def test_a_group_is_not_merged_in_a_circle_and_not_split_by_outcomes() -> None:
    with pytest.raises(TriageError, match="split it first"):
        check_merge(Regrouping((Rule(group="a", into="b"),)), "b", "a")
    for select in ("outcome:fail", "is:flaky", "nonsense:1"):
        with pytest.raises(MatrixError):
            of_cells(select)
