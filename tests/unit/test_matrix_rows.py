"""Which rows a matrix has where there is no room for all."""

from dashboard.matrix import matrix
from harness.cells import Cell
from runner.core.runs import CellVerdict, Verdict


def _cells(model_type: str, verdicts: list[Verdict]) -> list[CellVerdict]:
    return [
        CellVerdict(Cell.parse(f"{model_type}/M{number}/forward-static/onnx"), verdict)
        for number, verdict in enumerate(verdicts)
    ]


FOUND = [
    *_cells("a", [Verdict.PASS, Verdict.PASS]),
    *_cells("b", [Verdict.PASS, Verdict.FAIL]),
    *_cells("c", [Verdict.SKIP, Verdict.SKIP, Verdict.SKIP]),
    *_cells("d", [Verdict.FAIL, Verdict.CRASH, Verdict.PASS]),
]


def test_of_too_many_rows_those_in_which_most_fails_are_told_and_the_others_counted() -> None:
    found = matrix(FOUND, most=3)
    assert [row.model_type for row in found.bands[0].rows] == ["d", "b", "a"]
    assert (found.rows, found.more, found.cells) == (3, 1, len(FOUND))
    assert [square and square.counts for square in found.bands[0].rows[0].squares] == [
        {Verdict.FAIL: 1, Verdict.CRASH: 1, Verdict.PASS: 1}
    ]


def test_rows_that_fit_are_all_there_by_name() -> None:
    found = matrix(FOUND, most=4)
    assert [row.model_type for row in found.bands[0].rows] == ["a", "b", "c", "d"]
    assert found.more == 0
