"""Numbers that moved, those that are noise, and those of which too little is known."""

import random
from collections.abc import Sequence

import pytest

from harness.cells import Cell
from runner.core.numbers import Measure, Numbers, apart, moved
from runner.core.runs import CellVerdict, Verdict

CELL = Cell.parse("llama/LlamaModel/forward-static/onnx")


def _told(measure: Measure, old: Sequence[float], new: Sequence[float]) -> Numbers:
    """The last values are those of the runs that are compared."""
    before, after = (
        CellVerdict(cell=CELL, verdict=Verdict.PASS, **{measure.value: values[-1]})  # type: ignore[arg-type]  # its field
        for values in (old, new)
    )
    past = [{CELL: {measure: values}} for values in (old, new)]
    return moved(apart([(before, after)]), before=past[0], after=past[1])


@pytest.mark.parametrize(
    ("measure", "old", "new"),
    [
        (Measure.TIME, [4.0, 4.2, 4.1], [9.0, 9.5, 9.1]),
        (Measure.TIME, [9.0, 30.0, 9.2], [4.0, 4.4, 4.1]),
        (Measure.DIFFERENCE, [1e-6, 1e-6, 1e-6], [1e-3]),
        (Measure.DIFFERENCE, [0.0, 0.0, 0.0], [1e-3]),
        (Measure.MEMORY, [2**24, 2**24, 2**24], [2**26]),
        (Measure.SIZE, [100, 100, 100], [140]),
    ],
)
def test_a_number_that_leaves_its_noise_has_moved(
    measure: Measure, old: Sequence[float], new: Sequence[float]
) -> None:
    [move] = _told(measure, old, new).moved
    assert move.worse is (new[0] > old[0])
    assert move.runs == (len(old), len(new))


@pytest.mark.parametrize(
    ("measure", "old", "new"),
    [
        (Measure.TIME, [4.0, 9.0, 6.0, 4.1], [4.2, 8.0, 9.5]),
        (Measure.TIME, [0.1, 0.1, 0.1], [0.3, 0.3, 0.3]),
        (Measure.TIME, [10.0, 10.0, 10.0], [11.5, 11.5, 11.5]),
        (Measure.DIFFERENCE, [1e-7, 1e-7, 1e-7], [9e-7]),
        (Measure.DIFFERENCE, [1e-5, 5e-5, 9e-5], [6e-4 / 3]),
        (Measure.SIZE, [1000, 1000, 1000], [1010]),
        (Measure.MEMORY, [100, 100, 100], [1000]),
    ],
)
def test_noise_and_what_is_too_little_to_matter_has_not(
    measure: Measure, old: Sequence[float], new: Sequence[float]
) -> None:
    assert _told(measure, old, new) == Numbers()


@pytest.mark.parametrize(
    ("measure", "old", "new"),
    [
        (Measure.TIME, [4.0, 4.2], [9.0, 9.5, 9.1]),
        (Measure.TIME, [4.0, 4.2, 4.1], [9.0, 9.5]),
        (Measure.SIZE, [100, 100], [140]),
    ],
)
def test_too_few_runs_are_counted_and_tell_nothing(
    measure: Measure, old: Sequence[float], new: Sequence[float]
) -> None:
    assert _told(measure, old, new) == Numbers(too_few=1)


def test_only_what_was_executed_and_passed_on_both_sides_is_compared() -> None:
    def found(verdict: Verdict, nodes: int, carried: str | None = None) -> CellVerdict:
        return CellVerdict(cell=CELL, verdict=verdict, graph_nodes=nodes, carried_from=carried)

    before = found(Verdict.PASS, 100)
    assert len(apart([(before, found(Verdict.PASS, 200))])) == 1
    assert apart([(before, found(Verdict.FAIL, 200))]) == []
    assert apart([(before, found(Verdict.PASS, 200, "r1"))]) == []
    assert apart([(before, None), (None, before)]) == []


def test_among_many_noisy_cells_nothing_is_told_but_what_moved() -> None:
    chance = random.Random(7)
    cells = [Cell.parse(f"m{number}/M/forward-static/onnx") for number in range(1000)]
    far = set(cells[::100])

    def times(cell: Cell, factor: float) -> list[float]:
        return [10 * factor * max(0.5, chance.gauss(1, 0.1)) for _ in range(4)]

    before = {cell: times(cell, 1) for cell in cells}
    after = {cell: times(cell, 3 if cell in far else 1) for cell in cells}
    compared = [
        tuple(
            CellVerdict(cell=cell, verdict=Verdict.PASS, export_s=side[cell][-1])
            for side in (before, after)
        )
        for cell in cells
    ]
    past = [{cell: {Measure.TIME: side[cell]} for cell in cells} for side in (before, after)]
    found = moved(apart((old, new) for old, new in compared), before=past[0], after=past[1])
    told = {each.cell for each in found.moved}
    assert told <= far
    assert len(told) > 5
