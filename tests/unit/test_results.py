"""A result's JSON line comes back whole, and nothing else is taken for one."""

import json

import pytest

from harness.cells import Cell
from harness.errors import RecordError
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage

WHOLE = Result(
    cell=Cell.parse("llama/LlamaModel/forward-dynamic/onnx"),
    outcome=Outcome.FAIL,
    run="r",
    stage=Stage.RESIZE,
    kind="specialized-shape",
    components=(
        ComponentResult(
            name="model",
            outcome=Outcome.FAIL,
            stage=Stage.RESIZE,
            outputs=(
                OutputDifference(name="logits", shape=(2, 3), max_abs_diff=0.5, problem="values"),
            ),
            patches=("torch.where",),
            notes=("a note",),
        ),
    ),
    durations_s={"build": 0.25},
    stack={"torch": "2.13.0"},
    traceback="Traceback …",
    recipe={"seed": 7},
)


def test_a_line_comes_back_whole() -> None:
    assert Result.from_line(WHOLE.to_line()) == WHOLE


def test_what_json_has_no_word_for_is_text_in_the_recipe() -> None:
    told = WHOLE.replace(recipe={"limit": (0.0, float("inf")), 2: {"dtype": Outcome}})
    read = Result.from_line(told.to_line()).recipe
    assert read == {"limit": [0.0, "inf"], "2": {"dtype": str(Outcome)}}


def test_a_field_that_a_newer_writer_added_is_passed_over() -> None:
    record = json.loads(WHOLE.to_line()) | {"weather": "fine"}
    assert Result.from_line(json.dumps(record)) == WHOLE


def _with(**wrong: object) -> str:
    return json.dumps(json.loads(WHOLE.to_line()) | wrong)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"schema": 1, "cell": "half', "not JSON"),
        ('{"hello": 1}', "no schema number"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1, "outcome": "pass"}', "damaged"),
        ('{"schema": 1, "cell": "a/b/c/d", "outcome": "pass"}', "variant"),
        ('{"schema": 1, "cell": "a/B/forward-static/onnx", "outcome": "fine"}', "fine"),
        ("[]", "no schema number"),
        ('{"schema": 1, "peak_rss_bytes": Infinity}', "not JSON"),
        (_with(attempt="1"), "attempt is '1'"),
        (_with(run=None), "run is None"),
        (_with(stack=["torch"]), "stack is"),
        (_with(durations_s={"build": "long"}), "long"),
        (_with(components=[{"name": "model", "outcome": "pass", "notes": 5}]), "damaged"),
    ],
)
def test_any_other_line_is_refused_with_what_is_wrong(line: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        Result.from_line(line)


def test_the_line_has_the_fields_that_scripts_rely_on() -> None:
    record = json.loads(WHOLE.to_line())
    assert set(record) >= {
        "schema", "run", "cell", "attempt", "outcome", "stage", "kind", "signature", "title",
        "components", "durations_s", "peak_rss_bytes", "revision", "stack", "carried_from",
        "traceback",
    }  # fmt: skip
