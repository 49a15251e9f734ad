"""Failures of one cause are one group: measured against causes that were found by hand."""

import tomllib

import pytest

from runner.core.classify import UNCLASSIFIED
from tests.grouping import DATA, Agreement, b_cubed, labelled, pairwise

FOUND = labelled()


def _at_least(agreement: Agreement, share: float) -> bool:
    return agreement.precision >= share and agreement.recall >= share


def test_groups_are_the_causes_that_people_see() -> None:
    assert _at_least(pairwise(FOUND), 0.95)
    assert _at_least(b_cubed(FOUND), 0.95)


@pytest.mark.parametrize("cause", ["sdpa-is-causal", "sliding-window-cache"])
def test_a_group_crosses_model_types_and_backends(cause: str) -> None:
    found = [each for each in FOUND if each.cause == cause]
    assert len({each.said.signature for each in found}) == 1
    assert len({each.cell.model_type for each in found}) > 5
    assert len({each.cell.backend for each in found}) > 1


def test_hardly_any_failure_is_left_unclassified() -> None:
    unknown = [each for each in FOUND if each.said.kind == UNCLASSIFIED]
    assert len(unknown) < 0.02 * len(FOUND)


def test_every_cause_says_how_it_was_told() -> None:
    causes = tomllib.loads((DATA / "causes.toml").read_text(encoding="utf-8"))
    assert {each.cause for each in FOUND} == causes.keys()
    assert len(FOUND) >= 150
