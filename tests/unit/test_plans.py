"""A run's folder after a death: what is whole stays, the rest is no result, one runner has it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cells import Cell
from harness.errors import MatrixError, RecordError
from harness.results import Outcome, Result
from runner.steps.plans import Plan, executed, held, recorded, repair

CELLS = tuple(
    Cell.parse(f"toy/{name}/forward-static/toy") for name in ("Aborts", "Exits", "Passes")
)
LINES = tuple(Result(cell=cell, outcome=Outcome.PASS).to_line() for cell in CELLS)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    made = Plan(
        uid="u",
        folder=tmp_path / "u",
        revision="5.23.0",
        revision_path=None,
        stack={},
        selection="all",
        started_at=datetime(2026, 11, 25, tzinfo=UTC),
        cells=CELLS,
        skips={},
        share=CELLS,
    )
    made.save()
    (made.folder / "shards").mkdir()
    return made


def _left(plan: Plan, content: str | bytes) -> Path:
    file = plan.folder / "shards" / "000.jsonl"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        ("", []),
        (f"{LINES[0]}\n{LINES[1]}\n", [0, 1]),
        (f"{LINES[0]}\n{LINES[1][:40]}", [0]),
        (f"{LINES[0]}\n{LINES[1]}", [0, 1]),
        (f"{LINES[0]}\n{LINES[1][:40]}\0\0\0\0", [0]),
        (f"{LINES[0]}\n\0\0\0\0\0\0", [0]),
        (f"{LINES[0]}\n{LINES[1][:40]}\0\0\0\n{LINES[2]}\n", [0, 2]),
        (f"{LINES[0]}\n".encode() + b"\xff\xfe{}\n" + f"{LINES[2]}\n".encode(), [0, 2]),
        (f"{LINES[0]}\n7\n\n{LINES[2]}\n", [0, 2]),
    ],
    ids=[
        "nothing",
        "whole",
        "half a line",
        "no line break yet",
        "half a line and zeros",
        "zeros",
        "a hole",
        "no text",
        "no object",
    ],
)
def test_what_is_whole_is_read_and_kept_and_nothing_else_is_a_result(
    plan: Plan, content: str | bytes, whole: list[int]
) -> None:
    file = _left(plan, content)
    assert [result.cell for result in executed(plan)] == [CELLS[number] for number in whole]
    assert recorded(plan) == {CELLS[number] for number in whole}
    repair(plan)
    assert file.read_text() == "".join(f"{LINES[number]}\n" for number in whole)


def test_what_is_no_result_is_set_aside_not_dropped(plan: Plan) -> None:
    file = _left(plan, f"{LINES[0]}\n{LINES[1][:40]}")
    repair(plan)
    assert file.with_suffix(".damaged").read_text() == f"{LINES[1][:40]}\n"


def test_a_result_of_another_version_is_refused_not_set_aside(plan: Plan) -> None:
    other = LINES[0].replace('"schema":1', '"schema":2')
    file = _left(plan, f"{other}\n")
    repair(plan)
    assert file.read_text() == f"{other}\n"
    with pytest.raises(RecordError, match="schema 2"):
        executed(plan)


def test_a_run_is_one_runners_at_a_time_and_the_other_is_told_whose(plan: Plan) -> None:
    with (
        held(plan),
        pytest.raises(MatrixError, match=f"is being run by process {os.getpid()};"),
        held(plan),
    ):
        pass
    with held(plan):
        pass


def test_a_plan_that_is_none_is_told_in_one_line(plan: Plan) -> None:
    (plan.folder / "run.json").write_text('{"uid": "u"}')
    with pytest.raises(MatrixError, match=r"run\.json is no plan of this version"):
        Plan.load(plan.folder)


def test_a_plan_is_read_back_as_it_was(plan: Plan) -> None:
    assert Plan.load(plan.folder) == plan
