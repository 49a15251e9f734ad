"""How flaky a cell is: flips while nothing that decides its outcome changes."""

import pytest

from runner.core.flips import Executed, flakiness
from runner.core.runs import Verdict

_LETTERS = {
    "P": Verdict.PASS,
    "F": Verdict.FAIL,
    "T": Verdict.TIMEOUT,
    "Y": Verdict.FLAKY,
    "S": Verdict.SKIP,
    "M": Verdict.MISSING,
    "E": Verdict.ERROR,
}


def _runs(story: str, condition: str = "a", *, first: int = 1) -> list[Executed]:
    return [
        Executed(run_id=number, verdict=_LETTERS[letter], condition=condition)
        for number, letter in enumerate(story, first)
    ]


@pytest.mark.parametrize(
    ("story", "flips", "considered"),
    [
        ("", 0, 0),
        ("P", 0, 0),
        ("PPPP", 0, 4),
        ("PF", 1, 2),
        ("PFP", 2, 3),
        ("PTPP", 2, 4),
        ("FT", 0, 2),
        ("PFFP", 2, 4),
        # something broken, not something flaky
        ("PFFFP", 0, 2),
        ("FFFF", 0, 0),
        ("PFPFFF", 2, 3),
        # flipped within its run; says nothing of its neighbours
        ("Y", 1, 1),
        ("PYP", 1, 3),
        ("FFYF", 1, 4),
        # nothing was said
        ("PSMEP", 0, 2),
        ("PSF", 1, 2),
    ],
)
def test_flips_are_counted_over_considered_runs(story: str, flips: int, considered: int) -> None:
    found = flakiness(_runs(story))
    assert (found.flips, found.considered) == (flips, considered)


def test_a_change_of_what_decides_the_outcome_is_no_flip() -> None:
    found = flakiness([*_runs("PP", "a"), *_runs("FF", "b", first=3)])
    assert (found.flips, found.considered) == (0, 4)


def test_runs_of_one_condition_are_compared_past_those_of_another() -> None:
    story = [*_runs("P", "a"), *_runs("P", "b", first=2), *_runs("F", "a", first=3)]
    assert flakiness(story).flips == 1


def test_the_order_in_which_runs_are_told_does_not_matter() -> None:
    told = flakiness(_runs("PFPPFFFP"))
    assert flakiness(reversed(_runs("PFPPFFFP"))) == told
    assert [each.run_id for each in told.runs] == [1, 2, 3, 4, 8]


def test_a_run_that_stands_alone_is_not_considered() -> None:
    found = flakiness([*_runs("P", "a"), *_runs("PF", "b", first=2)])
    assert (found.flips, found.considered) == (1, 2)


def test_flakiness_is_a_percentage() -> None:
    assert flakiness(_runs("PFPP")).percent == 50
    assert flakiness([]).percent == 0
