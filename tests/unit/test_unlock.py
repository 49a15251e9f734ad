"""What turns green if a failure group is fixed, and what to fix first."""

from harness.cells import Cell
from harness.results import Stage
from runner.core.owner import by_class
from runner.core.runs import CellVerdict, Verdict
from runner.core.unlock import order, reasons, unlocked, waiting


def _fails(cell: str, stage: str, signature: str) -> CellVerdict:
    return CellVerdict(
        cell=Cell.parse(cell), verdict=Verdict.FAIL, stage=Stage(stage), signature=signature
    )


CAPTURE = _fails("m/M/forward-dynamic/onnx", "capture", "guard")


def _behind(other: CellVerdict, failed: CellVerdict = CAPTURE) -> set[str]:
    return set(reasons(failed, [failed, other])) - {str(failed.signature)}


def test_a_later_failure_of_the_same_class_on_the_same_backend_stands_behind() -> None:
    assert _behind(_fails("m/M/forward-static/onnx", "lower", "op")) == {"op"}


def test_a_later_failure_of_the_same_case_on_dynamo_stands_behind() -> None:
    assert _behind(_fails("m/M/forward-dynamic/dynamo", "compare", "values")) == {"values"}


def test_what_fails_earlier_or_elsewhere_does_not_stand_behind() -> None:
    assert _behind(_fails("m/M/forward-static/onnx", "build", "b")) == set()
    assert _behind(_fails("m/M/forward-static/onnx", "capture", "c")) == set()
    assert _behind(_fails("m/M/forward-dynamic/executorch", "lower", "e")) == set()
    assert _behind(_fails("m/M/generate-static/onnx", "lower", "g")) == set()


def test_a_static_cell_never_comes_to_resize() -> None:
    static = _fails("m/M/forward-static/onnx", "capture", "guard")
    assert _behind(_fails("m/M/forward-dynamic/onnx", "resize", "shape"), static) == set()
    assert _behind(_fails("m/M/forward-dynamic/dynamo", "resize", "shape")) == {"shape"}


def test_a_cell_that_waits_for_two_groups_is_unlocked_by_the_second() -> None:
    cells = [frozenset({"a"}), frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})]
    assert unlocked(cells) == {"a": 2, "b": 1}
    steps = order(cells, {"a": "A"}, limit=9)
    assert [(each.title, each.cells, each.total) for each in steps] == [("A", 2, 2), ("b", 2, 4)]


def test_the_group_that_turns_most_cells_green_comes_first() -> None:
    cells = [frozenset({"small"}), *[frozenset({"large"})] * 3, *[frozenset({"mid"})] * 2]
    assert [each.signature for each in order(cells, {}, limit=2)] == ["large", "mid"]


def test_every_failing_cell_waits_for_what_its_class_tells() -> None:
    passes = CellVerdict(cell=Cell.parse("m/M/forward-static/dynamo"), verdict=Verdict.PASS)
    late = _fails("m/M/forward-static/onnx", "lower", "op")
    waits = waiting([CAPTURE, late], by_class([CAPTURE, late, passes]))
    assert waits == [{"guard", "op"}, {"op"}]
