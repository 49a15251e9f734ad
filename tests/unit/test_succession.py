"""What becomes of failure groups when their results get other signatures."""

import pytest

from runner.core.succession import Moves, succession


@pytest.mark.parametrize(
    ("moves", "heirs"),
    [
        ({("a", "a"): 3}, {"a": "a"}),
        ({("a", "b"): 3}, {"a": "b"}),
        # split: with the largest part, and of equal ones with that which keeps the name
        ({("a", "b"): 3, ("a", "c"): 5}, {"a": "c"}),
        ({("a", "a"): 3, ("a", "b"): 3}, {"a": "a"}),
        ({("a", "a"): 3, ("a", "b"): 4}, {"a": "b"}),
        # merged: into what most of them come from; the other has no heir
        ({("a", "c"): 3, ("b", "c"): 5}, {"b": "c"}),
        # newer results had the signature already
        ({("a", "c"): 3, ("c", "c"): 1}, {"a": "c"}),
        ({("a", "b"): 2, ("b", "a"): 2}, {"a": "b", "b": "a"}),
        # the second largest part is what is left for it
        ({("a", "c"): 9, ("b", "c"): 5, ("b", "d"): 2}, {"a": "c", "b": "d"}),
    ],
    ids=str,
)
def test_a_group_goes_on_with_most_of_its_results(moves: Moves, heirs: dict[str, str]) -> None:
    assert succession(moves).heirs == heirs
    assert succession(dict(reversed(moves.items()))).heirs == heirs


def test_what_was_split_and_merged_is_told_with_what_goes_on_first() -> None:
    found = succession({("a", "b"): 3, ("a", "c"): 5, ("d", "b"): 4, ("e", "f"): 1})
    assert found.split == {"a": ("c", "b")}
    assert found.merged == {"b": ("d", "a")}
    assert found.renamed == {"a": "c", "d": "b", "e": "f"}


def test_nothing_becomes_of_groups_whose_results_stay() -> None:
    found = succession({("a", "a"): 2, ("b", "b"): 1})
    assert (found.renamed, found.split, found.merged) == ({}, {}, {})
