"""How many jobs a plan becomes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.cells import Cell
from runner.core.plan import Expected
from runner.steps.parting import jobs, matrix
from runner.steps.plans import Plan


def _plan(count: int, seconds: float) -> Plan:
    cells = tuple(Cell.parse(f"m{number}/M/forward-static/toy") for number in range(count))
    return Plan(
        uid="run",
        folder=Path("run"),
        revision="5.23.0",
        revision_path=None,
        stack={},
        selection="all",
        started_at=datetime.now(UTC),
        cells=cells,
        skips={},
        share=cells,
        expected={cell: Expected(seconds=seconds, mib=1) for cell in cells},
    )


@pytest.mark.parametrize(
    ("count", "seconds", "expected"),
    [(0, 1, 0), (10, 1, 1), (100, 10, 4), (900, 60, 8), (2, 900, 2)],
)
def test_there_are_as_many_jobs_as_pay(count: int, seconds: float, expected: int) -> None:
    assert len(jobs(_plan(count, seconds), name="head", most=8)) == expected


def test_a_job_knows_its_plan_its_share_and_its_commit() -> None:
    found = matrix(jobs(_plan(100, 5), name="head", commit="c0ffee", most=8))["include"]
    assert found[1] == {"name": "head-2", "plan": "head.json", "shard": "2/2", "commit": "c0ffee"}
