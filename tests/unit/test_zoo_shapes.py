"""Dynamic shapes that a user gives: what a file may say, and what it decides. No torch."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import CaseError, ShapesError
from harness.zoo.shapes import GivenShapes, Shapes


@dataclass
class Sized:
    """A tensor, as far as shapes go."""

    shape: tuple[int, ...]


FILE = """
["llama/*"]
input_ids = { 0 = "static", 1 = { min = 4, max = 128 } }
attention_mask = { 1 = { max = 128 } }

["*/LlamaModel"]
attention_mask = { 0 = 2, 1 = "auto" }
"""


def given(axes: str) -> Shapes:
    """What is given for the input `x`."""
    return GivenShapes.parse(f"[m]\nx = {axes}").for_class("m", "M")


def test_a_class_gets_what_its_globs_say_and_the_later_one_wins_input_by_input() -> None:
    shapes = GivenShapes.parse(FILE)
    assert shapes.for_class("llama", "LlamaForCausalLM").told == (
        "input_ids axis 0: static, input_ids axis 1: 4 to 128, attention_mask axis 1: 1 to 128"
    )
    assert shapes.for_class("llama", "LlamaModel").told == (
        "input_ids axis 0: static, input_ids axis 1: 4 to 128, "
        "attention_mask axis 0: static 2, attention_mask axis 1: auto"
    )
    assert not shapes.for_class("bert", "BertModel")


@pytest.mark.parametrize("glob", ["deberta-v2/*", "DEBERTA_V2", "DebertaV2*", "*/DebertaV2Model"])
def test_a_glob_matches_as_in_select(glob: str) -> None:
    assert GivenShapes.parse(f'["{glob}"]\nx = {{ 0 = 2 }}').for_class(
        "deberta_v2", "DebertaV2Model"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[llama/*]", "not TOML"),
        ("x = 1", "stands in no table"),
        ('[m]\nx = "static"', "names no axis"),
        ("[m]\nx = { first = 2 }", "'first' is no axis"),
        ("[m]\nx = { 0 = 'statik' }", "did you mean 'static'?"),
        ("[m]\nx = { 0 = true }", "True is not"),
        ("[m]\nx = { 0 = 0 }", "0 is not"),
        ("[m]\nx = { 0 = { mx = 3 } }", "unknown key 'mx'; did you mean 'max'?"),
        ("[m]\nx = { 0 = { max = 'many' } }", "max = 'many' is no size"),
        ("[m]\nx = { 0 = { min = 8, max = 3 } }", "min = 8 is over max = 3"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_says_where(text: str, told: str) -> None:
    with pytest.raises(ShapesError) as refused:
        GivenShapes.parse(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "shapes.toml").touch()
    with pytest.raises(ShapesError, match=r"no such file: .*shape\.toml; did you mean 'shapes"):
        GivenShapes.read(tmp_path / "shape.toml")


@pytest.mark.parametrize(
    ("glob", "hint"), [("lama/*", "'llama/*'"), ("llama/LlamaModl", "'llama/LlamaModel'")]
)
def test_a_glob_that_matches_no_class_is_refused_with_the_nearest(glob: str, hint: str) -> None:
    known = [("llama", "LlamaModel"), ("bert", "BertModel")]
    shapes = GivenShapes.parse(f'["{glob}"]\nx = {{ 0 = 2 }}')
    with pytest.raises(ShapesError) as refused:
        shapes.check_known(known)
    assert hint in str(refused.value)


def test_an_input_that_no_graph_takes_is_refused_with_the_nearest() -> None:
    shapes = GivenShapes.parse("[m]\ninput_id = { 0 = 2 }").for_class("m", "M")
    with pytest.raises(CaseError, match="did you mean 'input_ids'"):
        shapes.check_names(["input_ids", "attention_mask"])


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ("{ 2 = 'static' }", r"x has no axis 2, its shape is \(2, 10\)"),
        ("{ 0 = 3 }", "x axis 0 is static 3, but it is traced with 2"),
        ("{ 1 = { max = 9 } }", "x axis 1 is 1 to 9, but it is traced with 10"),
        ("{ 1 = { min = 11 } }", "x axis 1 is from 11, but it is traced with 10"),
    ],
)
def test_what_the_traced_inputs_break_is_refused(axes: str, told: str) -> None:
    with pytest.raises(CaseError, match=told):
        given(axes).check_traced({"x": Sized((2, 10))})


def test_an_input_without_axes_can_not_be_given_any() -> None:
    with pytest.raises(CaseError, match="x is no tensor"):
        given("{ 0 = 2 }").check_traced({"x": None})


@pytest.mark.parametrize("axes", ["{ 0 = 2, 1 = 10 }", "{ 0 = 'static', 1 = { max = 10 } }"])
def test_the_traced_sizes_themselves_may_be_given(axes: str) -> None:
    given(axes).check_traced({"x": Sized((2, 10))})


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ("{ 0 = 'static' }", "x axis 0 is static, not 3"),
        ("{ 0 = 2 }", "x axis 0 is static 2, not 3"),
        ("{ 1 = { max = 12 } }", "x axis 1 is 1 to 12, not 13"),
    ],
)
def test_other_sizes_that_break_what_is_given_are_refused(axes: str, told: str) -> None:
    with pytest.raises(CaseError, match=told):
        given(axes).check_other({"x": Sized((2, 10))}, {"x": Sized((3, 13))})


def test_other_sizes_within_what_is_given_are_taken() -> None:
    given("{ 0 = 'static', 1 = { max = 13 } }").check_other(
        {"x": Sized((2, 10)), "y": Sized((2,))}, {"x": Sized((2, 13)), "y": Sized((3,))}
    )
