"""Dynamic shapes that a user gives reach the exporter, and the other sizes keep to them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.attempt import attempt
from harness.backends.base import Enter, Program
from harness.backends.dynamo import DynamoBackend
from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from harness.zoo.base import Component, load_zoo
from harness.zoo.shapes import GivenShapes

pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("default")

ZOO = load_zoo()
BATCH_STATIC = '{ 0 = "static", 1 = { max = 128 } }'


class Kept(DynamoBackend):
    """Keeps the programs that it exports."""

    def __init__(self) -> None:
        self.programs: list[Any] = []

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        program = super().export(component, dynamic=dynamic, bound=bound, enter=enter)
        self.programs.append(program.native)
        return program

    def shapes(self, name: str) -> list[Any]:
        """The shape of an input in the last program: numbers, and symbols."""
        found = [node for node in self.programs[-1].graph.nodes if node.name == name]
        return list(found[0].meta["val"].shape)

    def highest(self) -> set[int]:
        """The upper bounds of the symbols of the last program."""
        return {int(each.upper) for each in self.programs[-1].range_constraints.values()}


def _attempt(name: str, inputs: Mapping[str, str], backend: DynamoBackend | None = None) -> Result:
    cell = Cell.parse(f"{name}/dynamo")
    table = "".join(f"{key} = {axes}\n" for key, axes in inputs.items())
    shapes = GivenShapes.parse(f'["{cell.model_type}/*"]\n{table}')
    return attempt(cell, zoo=ZOO, backend=backend or DynamoBackend(), shapes=shapes)


def test_a_static_batch_and_a_bounded_sequence_are_exported_and_run_as_such() -> None:
    backend = Kept()
    inputs = dict.fromkeys(("input_ids", "attention_mask"), BATCH_STATIC)
    result = _attempt("llama/LlamaForCausalLM/forward-dynamic", inputs, backend)
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
    batch, sequence = backend.shapes("input_ids")
    assert (batch, isinstance(sequence, int)) == (2, False)
    assert backend.highest() == {128}
    (part,) = result.components
    assert {output.sizes for output in part.outputs} == {"traced", "sequence 13"}
    assert any("input_ids axis 1: 1 to 128" in note for note in part.notes)
    assert "input_ids axis 0: static" in result.recipe["dynamic_shapes"]
    assert result.recipe["fixed"]["batch 3, sequence 13"] == (
        "given: input_ids axis 0 is static, not 3"
    )


def test_a_static_variant_is_not_concerned() -> None:
    result = _attempt("bert/BertModel/forward-static", {"input_ids": "{ 0 = 99 }"})
    assert result.outcome is Outcome.PASS
    assert "dynamic_shapes" not in result.recipe


def test_sizes_that_nothing_else_fits_are_not_run_with_others_and_say_so() -> None:
    fixed = '{ 0 = "static", 1 = 10 }'
    result = _attempt("bert/BertModel/forward-dynamic", {"input_ids": fixed})
    assert (result.outcome, result.reason) == (Outcome.PASS, None)
    (part,) = result.components
    assert {output.sizes for output in part.outputs} == {"traced"}
    assert part.notes[-1] == (
        "not run with other sizes: nothing of it can be varied within the given shapes"
    )


def test_a_picture_is_still_varied_where_its_batch_is_static() -> None:
    given = GivenShapes.parse('[resnet]\npixel_values = { 0 = "static" }')
    case = ZOO.build("resnet", "ResNetModel", given.for_class("resnet", "ResNetModel"))
    assert case.resized is not None
    assert case.resized["pixel_values"].shape[0] == case.inputs["pixel_values"].shape[0] == 2
    assert "height" in case.resized_label


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"input_id": "{ 0 = 2 }"}, "did you mean 'input_ids'?"),
        ({"input_ids": "{ 0 = 1 }"}, "input_ids axis 0 is static 1, but it is traced with 2"),
        ({"input_ids": "{ 2 = 'static' }"}, "input_ids has no axis 2"),
    ],
)
def test_shapes_that_the_case_can_not_have_are_an_error_of_ours(
    inputs: dict[str, str], told: str
) -> None:
    result = _attempt("bert/BertModel/forward-dynamic", inputs)
    assert (result.outcome, result.stage) == (Outcome.ERROR, Stage.BUILD)
    assert told in (result.reason or "")


def test_every_component_of_generate_keeps_to_the_shapes_of_the_inputs_it_takes() -> None:
    result = _attempt("gpt2/GPT2LMHeadModel/generate-dynamic", {"input_ids": '{ 0 = "static" }'})
    assert result.outcome is not Outcome.ERROR, result.reason
    for part in result.components:
        assert any("input_ids axis 0: static" in note for note in part.notes), part.name
        assert not any("batch" in output.sizes for output in part.outputs)


def test_a_second_look_bounds_what_is_not_given_and_keeps_what_is() -> None:
    from harness.backends import exporting

    given = GivenShapes.parse('[bert]\ninput_ids = { 0 = "static", 1 = { min = 3, max = 500 } }')
    case = ZOO.build("bert", "BertModel", given.for_class("bert", "BertModel"))
    part = Component(name="model", module=case.model, inputs=case.inputs, given=case.given)
    spec = exporting.shapes(part, dynamic=True, bound=64)["dynamic_shapes"]
    told = {name: [repr(each) for each in axes.values()] for name, axes in spec.items()}
    assert told["input_ids"] == ["DimHint(STATIC)", "DimHint(AUTO, min=3, max=64)"]
    assert told["attention_mask"] == ["DimHint(AUTO, max=64)"] * 2
    free = exporting.shapes(replace(part), dynamic=True, bound=None)["dynamic_shapes"]
    assert repr(free["input_ids"][1]) == "DimHint(AUTO, min=3, max=500)"
