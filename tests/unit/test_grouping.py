"""Failures of one cause are one group: measured against causes that were found by hand."""

import tomllib
from collections import Counter

from runner.core.classify import UNCLASSIFIED
from tests.grouping import DATA, Agreement, b_cubed, labelled, pairwise

FOUND = labelled()


def _at_least(agreement: Agreement, share: float) -> bool:
    return agreement.precision >= share and agreement.recall >= share


def test_groups_are_the_causes_that_people_see() -> None:
    assert _at_least(pairwise(FOUND), 0.95)
    assert _at_least(b_cubed(FOUND), 0.95)


def test_groups_cross_model_types_and_backends() -> None:
    largest, _ = Counter(each.said.signature for each in FOUND).most_common(1)[0]
    cells = [each.cell for each in FOUND if each.said.signature == largest]
    assert len({cell.model_type for cell in cells}) > 5
    assert len({cell.backend for cell in cells}) > 1


def test_hardly_any_failure_is_left_unclassified() -> None:
    unknown = [each for each in FOUND if each.said.kind == UNCLASSIFIED]
    assert len(unknown) < 0.02 * len(FOUND)


def test_every_cause_says_how_it_was_told() -> None:
    causes = tomllib.loads((DATA / "causes.toml").read_text(encoding="utf-8"))
    assert {each.cause for each in FOUND} == causes.keys()
    assert len(FOUND) >= 150
