"""Plants: where they are put, what refuses them, and that the project's own are sound."""

import ast
from importlib.resources import files

import pytest

from harness.cells import Cell
from harness.errors import MatrixError
from runner.core.change import Change
from runner.core.plants import Plant, planted, read_plants, trees

SOURCE = '''"""A module."""
from __future__ import annotations

import torch


class M(Base):
    def forward(self, hidden: int, other: int) -> int:
        """What it does."""
        return hidden

    def reset(self):
        pass


__all__ = [
    "M",
    "Base",
]
'''
CELL = Cell.parse("m/M/forward-static/onnx")
OWN = {
    "plants.toml": files("runner").joinpath("plants.toml").read_text(),
    "toyworld/plants.toml": files("harness.toyworld").joinpath("plants.toml").read_text(),
}


def _plant(**more: str) -> Plant:
    cells = {CELL: Change.REGRESSED}
    return Plant(**{"name": "a", "file": "m.py", "cells": cells} | more)  # type: ignore[arg-type]  # any field


def _lines(plant: Plant) -> list[str]:
    after = planted(SOURCE, plant, marks="/marks")
    ast.parse(after)
    return after.splitlines()


def test_statements_come_after_the_docstring_and_know_the_first_parameter() -> None:
    lines = _lines(_plant(into="M.forward", text="if {x}:\n    {x} = '{marks}'"))
    assert (
        lines[8:11]
        == [
            '        """What it does."""',
            "        if hidden:",
            "            hidden = '/marks'",
        ][0:3]
    )


def test_a_module_is_planted_in_before_its_first_import() -> None:
    assert _lines(_plant(text="import nothing"))[3:5] == ["import nothing", "import torch"]


def test_a_class_that_is_unlisted_leaves_a_list_of_names() -> None:
    after = planted(SOURCE, _plant(unlist="M"), marks="")
    listed = ast.parse(after).body[-1]
    assert isinstance(listed, ast.Assign)
    assert set(ast.literal_eval(listed.value)) == {"Base"}


@pytest.mark.parametrize(
    "plant",
    [_plant(into="M.backward"), _plant(into="N.forward"), _plant(unlist="N")],
)
def test_a_tree_that_lacks_the_place_is_refused(plant: Plant) -> None:
    with pytest.raises(MatrixError, match="not written for this revision"):
        planted(SOURCE, plant, marks="")


def test_no_tree_has_two_plants_in_one_class_or_of_one_cell() -> None:
    other = {Cell.parse("n/N/forward-static/onnx"): Change.REGRESSED}
    first, same_cell = _plant(into="M.a"), _plant(into="N.a")
    apart = Plant(name="b", file="m.py", cells=other, into="N.b")
    module = Plant(name="c", file="m.py", cells=other, text="import x")
    assert trees([first, same_cell, apart, module]) == [[first, apart], [same_cell], [module]]


@pytest.mark.parametrize("name", OWN)
def test_the_projects_plants_are_of_all_kinds_and_fit_one_tree(name: str) -> None:
    plants = read_plants(OWN[name])
    assert len(trees(plants)) == 1
    assert len({plant.name for plant in plants}) == len(plants) > 15
    told = {change for plant in plants for change in plant.cells.values()}
    assert told == {
        Change.REGRESSED,
        Change.SUSPECT,
        Change.UNKNOWN,
        Change.REMOVED,
        Change.NEWLY_SKIPPED,
        Change.STILL_PASSING,
    }


def test_the_toys_have_the_places_that_are_planted_in() -> None:
    source = files("harness.toyworld").joinpath("sources.txt").read_text()
    for plant in read_plants(OWN["toyworld/plants.toml"]):
        source = planted(source, plant, marks="/marks")
    ast.parse(source)
