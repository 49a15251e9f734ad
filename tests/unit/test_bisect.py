"""The next revision to try, over all small histories."""

import pytest

from harness.errors import MatrixError
from runner.core.bisect import Answer, Found, Try, bisect


def _search(count: int, first_bad: int, skipped: frozenset[int] = frozenset()) -> tuple[Found, int]:
    """Bisect a history of numbers; how many revisions were asked."""
    revisions = [str(number) for number in range(count)]
    answers = {"0": Answer.GOOD, revisions[-1]: Answer.BAD}
    while isinstance(step := bisect(revisions, answers), Try):
        assert step.revision not in answers
        number = int(step.revision)
        judged = Answer.BAD if number >= first_bad else Answer.GOOD
        answers[step.revision] = Answer.SKIP if number in skipped else judged
    return step, len(answers) - 2


@pytest.mark.parametrize("count", range(2, 40))
def test_the_first_bad_revision_is_found_in_logarithmic_time(count: int) -> None:
    for first_bad in range(1, count):
        found, asked = _search(count, first_bad)
        assert found == Found((str(first_bad),))
        assert asked <= (count - 1).bit_length()


@pytest.mark.parametrize("skipped", [{5}, {4, 5, 6}, {1, 2, 3, 4, 5, 6, 7, 8}, {2, 7}])
def test_what_can_not_tell_is_stepped_over_and_never_blamed_alone(skipped: set[int]) -> None:
    for first_bad in range(1, 10):
        found, _ = _search(10, first_bad, frozenset(skipped))
        assert str(first_bad) in found.candidates
        assert found.certain or any(int(each) in skipped for each in found.candidates)
        assert all(int(each) in skipped for each in found.candidates[:-1])


def test_a_cluster_that_can_not_tell_costs_no_walk_through_it() -> None:
    found, asked = _search(200, 30, frozenset(range(60, 140)))
    assert found == Found(("30",))
    assert asked < 16


def test_a_bisect_says_how_many_are_left() -> None:
    step = bisect(list("abcdefghi"), {"a": Answer.GOOD, "i": Answer.BAD})
    assert isinstance(step, Try)
    assert (step.revision, step.left, step.steps) == ("e", 8, 3)


def test_good_after_bad_is_told() -> None:
    answers = {"a": Answer.GOOD, "b": Answer.BAD, "c": Answer.GOOD, "d": Answer.BAD}
    with pytest.raises(MatrixError, match="c is good after b was bad"):
        bisect(list("abcd"), answers)


@pytest.mark.parametrize("answers", [{}, {"a": Answer.GOOD}, {"a": Answer.BAD, "b": Answer.BAD}])
def test_ends_that_are_not_good_and_bad_are_refused(answers: dict[str, Answer]) -> None:
    with pytest.raises(MatrixError, match="begins at a good revision"):
        bisect(["a", "b"], answers)
