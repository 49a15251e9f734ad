"""Limits: the first rule that holds and says it; a user's before the project's."""

import pytest

from harness.cells import Cell
from harness.errors import MatrixError
from harness.terms import Terms
from runner.core.limits import limited, one_rule, project_rules, read_rules

ONNX = Cell.parse("llama/LlamaModel/forward-static/onnx")
EXECUTORCH = Cell.parse("llama/LlamaModel/forward-dynamic/executorch")
OWN = """
[[rule]]
cells = "llama/*/*/onnx"
time_s = 7
reason = "quick"

[[rule]]
cells = "backend:onnx"
time_s = 8
memory_mib = 9
reason = "small"
"""


def _limits(cell: Cell, own: str = "") -> tuple[float, int]:
    found = limited(cell, (*read_rules(own, name="own.toml"), *project_rules()))
    return found.time_limit_s, found.memory_limit_mib


def test_each_limit_is_that_of_the_first_rule_that_says_it() -> None:
    assert _limits(ONNX, OWN) == (7, 9)


def test_a_cell_that_no_own_rule_means_keeps_the_projects_limits() -> None:
    assert _limits(EXECUTORCH, OWN) == _limits(EXECUTORCH)


def test_dynamic_executorch_may_take_more_than_what_is_usual() -> None:
    usual, more = Terms(), _limits(EXECUTORCH)
    assert _limits(ONNX) == (usual.time_limit_s, usual.memory_limit_mib)
    assert more > (usual.time_limit_s, usual.memory_limit_mib)
    assert more[1] > usual.memory_limit_mib


def test_an_option_stands_above_all_rules_and_says_nothing_of_the_other_limit() -> None:
    rules = (*one_rule(time_s=3), *read_rules(OWN, name="own.toml"), *project_rules())
    assert limited(ONNX, rules) == Terms(time_limit_s=3, memory_limit_mib=9)
    assert one_rule() == ()


def test_the_projects_last_rule_says_both_for_every_cell() -> None:
    last = project_rules()[-1]
    assert (last.cells, bool(last.time_s), bool(last.memory_mib)) == ("*", True, True)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[[rule]]\ncells = '*'", "'reason'"),
        ("[[rule]]\ntime_s = 3\nreason = 'x'", "'cells'"),
        ("[[rule]]\ncells = '*'\nreason = 'x'\ntime = 3", "did you mean 'time_s'?"),
        ("[[rule]]\ncells = '*'\nreason = 'x'\ntime_s = '3'", "time_s can't be '3'"),
        ("[[rule]]\ncells = '*'\nreason = 'x'\nmemory_mib = -1", "memory_mib can't be -1"),
        ("[[rule]]\ncells = ''\nreason = 'x'", "cells can't be ''"),
        ("[[rule]]\ncells = 'bakend:onnx'\nreason = 'x'", "did you mean 'backend'?"),
        ("[[limit]]\ncells = '*'", "begins with [[rule]]"),
        ("rule = 3", "begins with [[rule]]"),
        ("[[rule", "own.toml"),
    ],
)
def test_a_bad_file_is_told_by_its_name_in_one_line(text: str, hint: str) -> None:
    with pytest.raises(MatrixError) as told:
        read_rules(text, name="own.toml")
    assert str(told.value).startswith("own.toml: ")
    assert hint in str(told.value)
    assert "\n" not in str(told.value)
