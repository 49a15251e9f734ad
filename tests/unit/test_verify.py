"""What counts as equal: every output, by name, shape, dtype and value."""

import numpy as np
import pytest

from harness.verify import compare, problems
from harness.zoo.base import Array, Outputs


def one(*numbers: float, dtype: str = "float32", name: str = "logits") -> Outputs:
    kind = "int64" if dtype == "int64" else "float32"
    return {name: Array(np.array(numbers, dtype=kind), dtype)}


def problem(expected: Outputs, actual: Outputs) -> str | None:
    (difference,) = compare(expected, actual)
    return difference.problem


def test_equal_outputs_have_no_problem() -> None:
    assert problem(one(1, 2), one(1, 2)) is None


def test_one_wrong_element_of_a_thousand_is_a_problem() -> None:
    right = np.ones(1000, dtype="float32")
    wrong = right.copy()
    wrong[7] = 1.5
    (found,) = compare({"y": Array(right, "float32")}, {"y": Array(wrong, "float32")})
    assert (found.problem, found.mismatched, found.elements) == ("values", 1, 1000)
    assert found.max_abs_diff == pytest.approx(0.5)
    assert found.max_rel_diff == pytest.approx(0.5)


def test_half_precision_may_differ_by_more_than_single() -> None:
    assert problem(one(1.0), one(1.01)) == "values"
    assert problem(one(1.0, dtype="bfloat16"), one(1.01, dtype="bfloat16")) is None


def test_integers_are_exact() -> None:
    assert problem(one(100_000, dtype="int64"), one(100_001, dtype="int64")) == "values"


def test_nan_and_infinity_must_stand_at_the_same_places() -> None:
    nan, inf = float("nan"), float("inf")
    assert problem(one(nan, inf, 1), one(nan, inf, 1)) is None
    assert problem(one(nan, 1), one(1, nan)) == "nonfinite"
    assert problem(one(inf), one(-inf)) == "nonfinite"


def test_a_shape_or_dtype_that_differs_is_told_beside_eagers() -> None:
    shaped = compare(one(1, 2), one(1), sizes="batch 3")
    assert problems(shaped) == ["output 'logits': shape (1,), eager gives (2,) with batch 3"]
    typed = compare(one(1), one(1, dtype="float16"))
    assert problems(typed) == ["output 'logits': dtype float16, eager gives float32"]


def test_shapes_and_dtypes_are_compared_before_values() -> None:
    assert problem(one(1, 2), one(1)) == "shape"
    assert problem(one(1), one(1, dtype="float16")) == "dtype"


SCORES = np.array([[0.1, 0.7, 0.7 + 1e-6, 0.0], [0.9, 0.1, 0.2, 0.3]], dtype="float32")


def test_indices_that_choose_among_equals_are_ties_and_no_problem() -> None:
    eager = {"scores": Array(SCORES, "float32"), "best": Array(SCORES.argmax(-1), "int64")}
    other = {**eager, "best": Array(np.array([1, 0]), "int64")}
    best = compare(eager, other)[1]
    assert (best.problem, best.ties) == (None, 1)


def test_a_wrong_shape_is_told_before_wrong_values() -> None:
    eager, other = one(1) | one(1, 2, name="keys"), one(9) | one(1, name="keys")
    told = problems(compare(eager, other))
    assert [line.partition(":")[0] for line in told] == ["output 'keys'", "output 'logits'"]


def test_indices_that_choose_a_lesser_one_are_a_problem() -> None:
    eager = {"scores": Array(SCORES, "float32"), "best": Array(SCORES.argmax(-1), "int64")}
    other = {**eager, "best": Array(np.array([2, 3]), "int64")}
    best = compare(eager, other)[1]
    assert (best.problem, best.mismatched, best.ties) == ("values", 1, 0)


def test_a_top_k_in_another_order_among_equals_is_a_tie() -> None:
    eager = {"router": Array(SCORES[:1], "float32"), "chosen": Array(np.array([[2, 1]]), "int64")}
    other = {**eager, "chosen": Array(np.array([[1, 2]]), "int64")}
    assert compare(eager, other)[1].ties == 2


def test_integers_that_are_no_choice_get_no_mercy() -> None:
    eager = {"scores": Array(SCORES, "float32"), "lengths": Array(np.array([3, 1]), "int64")}
    other = {**eager, "lengths": Array(np.array([1, 1]), "int64")}
    assert compare(eager, other)[1].problem == "values"


def test_logits_tell_how_often_the_winner_is_the_same() -> None:
    wrong = SCORES.copy()
    wrong[1] = [0.0, 0.0, 0.0, 1.0]
    (same,) = compare({"logits": Array(SCORES, "float32")}, {"logits": Array(SCORES, "float32")})
    (half,) = compare({"logits": Array(SCORES, "float32")}, {"logits": Array(wrong, "float32")})
    assert (same.top1_agreement, half.top1_agreement) == (1.0, 0.5)


def test_outputs_too_few_and_too_many_are_named() -> None:
    found = compare(one(1, name="a"), one(1, name="b"))
    assert [(each.name, each.problem) for each in found] == [("a", "missing"), ("b", "unexpected")]


def test_no_output_on_either_side_is_no_pass() -> None:
    assert problems(compare({}, {}))


def test_outputs_without_any_element_are_no_pass() -> None:
    assert problems(compare(one(), one()))


def test_the_sizes_of_the_run_are_told() -> None:
    (line,) = problems(compare(one(1), one(2), sizes="batch 3"))
    assert line.endswith("with batch 3")
    assert "1 of 1" in line
