"""A Transformers checkout's skip lists, read as known failures."""

import pytest

from harness.cells import Cell
from runner.core.judge import selected
from runner.core.known import KnownFailure
from runner.core.skips import read_skips

LIST = """import torch
EXPORT_SKIPS: dict[str, dict[str, str]] = {
    # Every backend.
    "all": {
        "LongModel": (
            "A reason "
            "in two parts."
        ),
        # about the next
        "ShortModel": "Same as `LongModel`.",
    },
    "generate": {"SpeaksModel": "one line"},
    "executorch.generate": {},
    "onnx.dynamic": {
        "SwinModel": ("timeout"),
    },
    computed(): {"NobodyModel": ""},
}
ONNX_DISABLE_OPTIMIZE = {"all": {"YolosModel": "slow"}}
"""

CASES = """
class TinyTester:
    config_class = TinyConfig
    text_config_class = TinyTextConfig
    if is_torch_available():
        base_model_class = TinyModel
        conditional_generation_class = TinyForConditionalGeneration

class CommonTest:
    test_torch_exportable = False  # a base says so

class OneTest(ModelTesterMixin, unittest.TestCase):
    all_model_classes = (OneModel, OneForCausalLM) if is_torch_available() else ()
    test_torch_exportable = (
        False  # loops over data
    )

class OtherTest(ModelTesterMixin, unittest.TestCase):
    all_model_classes = (OneForCausalLM, TwoModel)
    test_torch_exportable = True

class BackboneTest(BackboneTesterMixin, unittest.TestCase):
    all_model_classes = (OneModel,)

class TinyTest(CommonTest, VLMModelTest, unittest.TestCase):
    model_tester_class = TinyTester
"""


def _read(path: str, text: str) -> list[KnownFailure]:
    return list(read_skips({path: text}))


def _means(row: KnownFailure, *cells: str) -> list[bool]:
    return [selected(row).matches_cell(Cell.parse(cell)) for cell in cells]


def test_a_list_is_read_with_its_reasons_and_the_lines_to_remove() -> None:
    rows = _read("tests/exporters/test_export.py", LIST)
    assert [(row.cells, row.reason) for row in rows] == [
        ("*/LongModel/*/*", "A reason in two parts."),
        ("*/ShortModel/*/*", "Same as `LongModel`."),
        ("*/SpeaksModel/generate-*/*", "one line"),
        ("*/SwinModel/*-dynamic/onnx", "timeout"),
    ]
    lines = [(row.line, row.last_line) for row in rows]
    assert lines == [(5, 8), (10, 10), (12, 12), (15, 15)]
    assert all(row.upstream and row.file == "tests/exporters/test_export.py" for row in rows)


@pytest.mark.parametrize(
    ("scope", "means"),
    [
        ("all", [True, True, True, True, True, True]),
        ("generate", [False, False, True, True, True, True]),
        ("static", [True, False, True, False, True, False]),
        ("dynamic", [False, True, False, True, False, True]),
        ("generate.dynamic", [False, False, False, True, False, True]),
        ("onnx", [True, True, True, True, True, False]),
        ("executorch.generate", [False, False, False, False, False, True]),
        ("onnx.static", [True, False, True, False, True, False]),
    ],
)
def test_a_scope_means_the_cells_that_all_its_words_leave(scope: str, means: list[bool]) -> None:
    (row,) = _read(
        "tests/exporters/test_export.py", f"EXPORT_SKIPS = {{'{scope}': {{'AModel': ''}}}}"
    )
    cells = [
        "a/AModel/forward-static/onnx",
        "a/AModel/forward-dynamic/onnx",
        "a/AModel/generate-static/onnx",
        "a/AModel/generate-dynamic/onnx",
        "a/AModel/generate-cache-static/onnx",
        "a/AModel/generate-dynamic/executorch",
    ]
    assert _means(row, *cells) == means
    assert _means(row, *(cell.replace("AModel", "BModel") for cell in cells)) == [False] * 6


def test_a_test_case_that_is_not_exportable_means_its_classes() -> None:
    one, tiny = sorted(
        _read("tests/models/one/test_modeling_one.py", CASES), key=lambda row: -row.line
    )
    assert one.cells == "one/OneForCausalLM one/OneModel"
    assert (
        one.reason == "loops over data (OneForCausalLM: exported by another test case of the file)"
    )
    assert one.place == "tests/models/one/test_modeling_one.py:14-16"
    assert (tiny.cells, tiny.reason) == (
        "one/TinyForConditionalGeneration one/TinyModel",
        "a base says so",
    )


def test_a_source_that_loops_over_experts_means_its_type() -> None:
    loops = "class A:\n    def forward(self):\n        for expert in self.experts: ...\n"
    path = "src/transformers/models/dbrx/modeling_dbrx.py"
    (row,) = _read(path, loops)
    assert (row.cells, row.place) == ("dbrx/*", f"{path}:3")
    assert _read(path, f"from x import use_experts_implementation\n{loops}") == []


def test_what_can_not_be_parsed_says_nothing() -> None:
    assert _read("tests/exporters/test_export.py", "EXPORT_SKIPS = {") == []
    assert _read("tests/models/a/test_modeling_a.py", "test_torch_exportable = (") == []
