"""What `impact` prints: the definition that differs, how cells get there, and the cells."""

import pytest

from harness.cells import Cell
from runner.cli.affecting import tell
from runner.core.sources.impact import Affected, Impact


def _affected(number: int, *path: str) -> Affected:
    cell = Cell.parse(f"bert/Bert{number}/forward-static/onnx")
    return Affected(cell=cell, because=(path[-1],), path=path)


def test_each_definition_that_differs_is_told_with_a_way_to_it_and_its_cells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    way = [f"transformers.models.bert.modeling_bert:{name}" for name in "ABCDEFGH"]
    cells = [*(_affected(number, *way) for number in range(14)), _affected(99, way[0])]
    tell(Impact(changed=(way[0], way[-1]), affected=tuple(cells), added=(), unaffected=5))
    told, summary = capsys.readouterr()
    lines = told.splitlines()
    steps = [step.removeprefix("transformers.") for step in way]
    assert lines[0] == f"{way[-1]}  14 cells"
    assert lines[1] == f"  by {' → '.join([*steps[:3], '…', *steps[-3:]])}"
    assert lines[-3].strip() == "… and 2 more"
    assert lines[-2:] == [f"{way[0]}  1 cell", "    bert/Bert99/forward-static/onnx"]
    assert "of 20 cells 15 can be affected (75.0%)" in summary
