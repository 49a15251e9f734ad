"""Triage in a database: written once, logged, kept through new signatures, merges and splits."""

import getpass
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cells import Cell
from harness.errors import ConflictError, TriageError
from harness.results import Outcome, Result, Stage
from runner.cli import main
from runner.core.pull.sections import sections
from runner.core.query.reader import parse
from runner.core.render import as_markdown, as_text
from runner.core.runs import Run
from runner.core.triage import Edit, State, Triage
from runner.steps.comparing import compare_runs
from runner.steps.reporting import as_html, report_of
from runner.steps.triaging import edit, found_by, group_named, merge, split, take_apart
from runner.store import reads, regrouping, resigning, triages, writes
from runner.store.engine import Engine, ensure

CELLS = [Cell.parse(f"toy/Toy{number}/forward-static/onnx") for number in range(4)]


def _run(engine: Engine, uid: str, signatures: Sequence[str | None]) -> Run:
    """A complete run whose cells fail with these signatures, or pass."""
    writes.open_run(
        engine,
        uid=uid,
        revision="5.23.0",
        stack={"torch": "2.13.0"},
        selection="all",
        started_at=datetime(2026, 11, 1, tzinfo=UTC),
        cells=CELLS,
    )
    made = [_result(cell, uid, name) for cell, name in zip(CELLS, signatures, strict=True)]
    writes.ingest_results(engine, made)
    return writes.close_run(engine, uid, closed_at=datetime.now(UTC), duration_s=1.0)


def _result(cell: Cell, uid: str, signature: str | None) -> Result:
    failed = {
        "outcome": Outcome.FAIL,
        "stage": Stage.LOWER,
        "kind": "old",
        "signature": signature,
        "title": f"title of {signature}",
        "traceback": f"Traceback\nKeyError: {signature}\n",
    }
    here = Result(cell=cell, run=uid, attempt=1, outcome=Outcome.PASS, revision="5.23.0")
    return here.replace(**failed) if signature else here


def _said(engine: Engine, name: str) -> Triage:
    return triages.triages(engine, [name])[name]


def _counts(engine: Engine, ref: str = "latest") -> dict[str, int]:
    run = reads.run(engine, ref)
    return {group.signature: group.cells for group in regrouping.groups(engine, run.id)}


def test_who_edits_what_somebody_else_changed_is_told_and_loses_nothing(engine: Engine) -> None:
    _run(engine, "r1", ["s3-a", "s3-b", None, None])
    edit(engine, {"s3-a": 0}, Edit(assignee="ada"), who="ada")
    with pytest.raises(ConflictError) as late:
        edit(engine, {"s3-b": 0, "s3-a": 0}, Edit(assignee="bob"), who="bob")
    assert late.value.signatures == ("s3-a",)
    assert triages.triages(engine, ["s3-a", "s3-b"]).keys() == {"s3-a"}
    edit(engine, {"s3-a": 1}, Edit(state="investigating"), who="bob")
    assert (_said(engine, "s3-a").assignee, _said(engine, "s3-a").version) == ("ada", 2)
    told = [(each.who, each.before, each.after) for each in triages.log(engine)]
    assert told == [
        ("bob", {"state": "new"}, {"state": "investigating"}),
        ("ada", {"assignee": None}, {"assignee": "ada"}),
    ]


def test_a_fixed_group_reopens_with_the_next_complete_run_that_has_it(engine: Engine) -> None:
    _run(engine, "r1", ["s3-a", "s3-b", None, None])
    edit(engine, dict.fromkeys(["s3-a", "s3-b"]), Edit(state="fixed"), who="ada")
    run = _run(engine, "r2", ["s3-a", None, None, None])
    assert _said(engine, "s3-b").state is State.FIXED
    back = _said(engine, "s3-a")
    assert (back.state, back.returned_run) == (State.NEW, run.id)
    [entry] = triages.log(engine, who=triages.MACHINE)
    assert (entry.action, entry.group) == ("reopen", "s3-a")


def test_a_fixed_group_reopens_with_cells_of_what_was_merged_into_it(engine: Engine) -> None:
    _run(engine, "r1", ["s3-a", "s3-b", None, None])
    merge(engine, ["s3-b"], "s3-a", who="ada")
    edit(engine, {"s3-a": None}, Edit(state="fixed"), who="ada")
    run = _run(engine, "r2", [None, "s3-b", None, None])
    assert _said(engine, "s3-a").returned_run == run.id


def test_merged_groups_are_one_until_the_merge_is_taken_back(engine: Engine) -> None:
    _run(engine, "r1", ["s3-a", "s3-a", "s3-b", None])
    _run(engine, "r2", ["s3-a", "s3-b", "s3-b", None])
    edit(engine, {"s3-b": None}, Edit(issue="o/r#1"), who="ada")
    changed = [each.change for each in compare_runs(engine, "r1", "r2").groups]
    assert "fails-differently" in changed
    merge(engine, ["s3-b"], "s3-a", who="ada")
    assert _counts(engine) == {"s3-a": 3}
    assert _said(engine, "s3-a").issue == "https://github.com/o/r/issues/1"
    assert group_named(engine, "s3-b") == "s3-a"
    changed = [each.change for each in compare_runs(engine, "r1", "r2").groups]
    assert "fails-differently" not in changed
    told = regrouping.membership(engine, "s3-a")
    assert [count for _, count in regrouping.runs_of(engine, told)] == [3, 3]
    with pytest.raises(TriageError, match="split it first"):
        merge(engine, ["s3-a"], "s3-b", who="ada")
    take_apart(engine, "s3-b", "s3-a", who="ada")
    assert _counts(engine) == {"s3-a": 1, "s3-b": 2}
    assert [each.action for each in triages.log(engine, limit=2)] == ["unmerge", "unmerge"]


def test_a_split_parts_cells_in_all_runs_and_stays_new(engine: Engine) -> None:
    _run(engine, "r1", ["s3-a", "s3-a", "s3-a", None])
    edit(engine, {"s3-a": None}, Edit(state="investigating"), who="ada")
    part = split(engine, "s3-a", who="ada", cells="class:Toy0", title="only the first")
    assert part == "s3-a.2"
    assert _counts(engine) == {"s3-a": 2, "s3-a.2": 1}
    assert triages.triages(engine, [part]) == {}
    _run(engine, "r2", ["s3-a", None, None, None])
    assert _counts(engine) == {"s3-a.2": 1}
    told = regrouping.membership(engine, part)
    assert [(run.uid, count) for run, count in regrouping.runs_of(engine, told)] == [
        ("r2", 1),
        ("r1", 1),
    ]
    span = regrouping.span(engine, regrouping.membership(engine, "s3-a"))
    assert span is not None
    assert span.last.uid == "r1"
    with pytest.raises(TriageError, match="a split parts them"):
        split(engine, "s3-a", who="ada", cells="class:Toy9")


def test_groups_are_found_by_a_search_over_cells(engine: Engine) -> None:
    run = _run(engine, "r1", ["s3-a", "s3-b", "s3-b", None])
    assert found_by(engine, run, parse("class:Toy1 or class:Toy3")) == ["s3-b"]


def test_new_signatures_keep_what_was_said_and_old_links_lead_on(engine: Engine) -> None:
    _run(engine, "r1", ["s2-a", "s2-a", "s2-b", "s2-c"])
    edit(engine, {"s2-a": None}, Edit(note="the mask"), who="ada")
    edit(engine, {"s2-b": None}, Edit(assignee="bob"), who="bob")
    part = split(engine, "s2-a", who="ada", cells="class:Toy0")

    def label(found: Result) -> Result:
        name = "s3-x" if found.signature is None and "s2-c" not in (found.traceback or "") else ""
        return found.replace(signature=name or "s3-y", kind="new", title="a title")

    resigning.resign(engine, label)
    said = _said(engine, "s3-x")
    assert (said.assignee, said.note) == ("bob", "the mask")
    assert _counts(engine) == {"s3-x": 2, "s3-x.2": 1, "s3-y": 1}
    named = {old: group_named(engine, old) for old in ("s2-a", "s2-b", "s2-c", part)}
    assert named == {"s2-a": "s3-x", "s2-b": "s3-x", "s2-c": "s3-y", part: "s3-x.2"}


def test_diffs_and_reports_say_what_is_known_of_a_group_and_count_muted_ones(
    engine: Engine,
) -> None:
    _run(engine, "r1", [None, None, None, None])
    _run(engine, "r2", ["s3-a", "s3-b", None, None])
    issue = "https://github.com/o/r/issues/1"
    edit(engine, {"s3-a": None}, Edit(state="upstream", issue=issue, assignee="ada"), who="ada")
    edit(engine, {"s3-b": None}, Edit(muted_until="2999-01-01"), who="ada")
    found = compare_runs(engine, "r1", "r2")
    assert found.losses == 2
    for told in (as_text(found), as_markdown(found)):
        assert "2 regressed, 1 of them in muted groups" in told
        assert "muted until" in told
    assert f"    upstream, ada, {issue}" in as_text(found)
    report = report_of(engine, "r2", baseline="r1")
    section = report.sections[0]
    assert section.heading == "2 regressed, 1 of them in muted groups"
    assert {group.issue for group in section.groups} == {issue, None}
    assert "upstream, ada" in as_html(report, root="http://here")
    [pull] = [each for each in sections(found) if each.name == "regressed"]
    assert (pull.count, pull.muted) == (2, 1)


def test_the_command_says_it_by_the_same_rules_into_the_same_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/matrix.db"
    engine = ensure(url)
    _run(engine, "r1", ["s3-a", "s3-a", "s3-b", None])

    def triage(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["export-matrix", "triage", *words, "--database", url])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return f"{ended.value.code or 0} {told.out}{told.err}"

    assert triage("s3-a", "--state", "upstream").startswith("2 error: `upstream` needs the issue")
    assert triage("--state", "known").startswith("2 error: say which groups")
    said = triage("s3-a", "--state", "upstream", "--issue", "o/r#7", "--assign", "me")
    assert "0 s3-a  upstream" in said
    assert "https://github.com/o/r/issues/7" in said
    assert "0 s3-b  muted until 2999-01-01 (muted now)" in triage(
        "--over", "class:Toy2", "--mute-until", "2999-01-01"
    )
    [first, *_] = triages.log(engine, signature="s3-b")
    assert (first.who, first.cells) == (getpass.getuser(), "class:Toy2")
    triage("s3-b", "--merge-into", "s3-a")
    assert _counts(engine) == {"s3-a": 3}
    assert json.loads(triage("s3-b", "--json")[2:])[0]["signature"] == "s3-a"
    engine.dispose()
