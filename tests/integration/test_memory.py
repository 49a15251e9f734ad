"""Cells that don't fit into memory together never run together. Toy cells, real processes."""

import json
from pathlib import Path

import pytest

from harness.results import Outcome
from tests.conftest import Matrix, counted, toys

# A giant marks that it runs, and fails if another one does.
CROWD = """
import os
import time
from pathlib import Path
from tests.toyzoo import zoo
from tests.toyzoo.toys import Toy

class Giant(Toy):
    def lower(self):
        mark = Path({folder!r}, f"giant-{{os.getpid()}}")
        mark.touch()
        others = [each for each in mark.parent.glob("giant-*") if each != mark]
        time.sleep(2)
        mark.unlink()
        assert not others, "two giants at once"

for number in range(3):
    type(f"Giant{{number}}", (Giant,), {{}})
"""
GIANTS = toys("Giant0", "Giant1", "Giant2")


@pytest.fixture
def crowd(matrix: Matrix) -> Matrix:
    (matrix.folder / "crowd.py").write_text(CROWD.format(folder=str(matrix.folder)))
    matrix.write([*GIANTS, *toys("Passes", "Litters", "ForksAnOrphan")])
    terms = {cell: {"expected_mib": 600, "expected_s": 2} for cell in GIANTS}
    _write(matrix.folder, terms)
    return matrix


def _write(folder: Path, terms: dict[str, dict[str, float]]) -> None:
    (folder / "terms.json").write_text(json.dumps(terms))


ASKED = ["--matrix-zoo=crowd", "--matrix-terms=terms.json"]


# With another scheduler than ours, only the zygote is there to hold a giant back.
@pytest.mark.parametrize("dist", ["load", "worksteal"])
@pytest.mark.parametrize("budget", [1000, 500], ids=["beside others", "alone"])
def test_two_giants_never_run_at_once_and_waiting_is_in_no_time_limit(
    crowd: Matrix, dist: str, budget: int
) -> None:
    limits = [f"--matrix-memory={budget}", "--matrix-time-limit=3.9"]
    output = crowd.run("-n2", f"--dist={dist}", *limits, *ASKED)
    assert counted(output) == {"passed": 6}


def test_giants_run_at_once_where_they_fit(crowd: Matrix) -> None:
    crowd.run("-n3", "--dist=load", "--matrix-memory=9000", *ASKED)
    reasons = {each.reason for each in crowd.results().values() if each.outcome is not Outcome.PASS}
    assert any("two giants at once" in (reason or "") for reason in reasons)
    assert len(crowd.results()) == 6
