"""The text of an issue, for whoever owns a failure group."""

from dataclasses import replace

import pytest

from harness.cells import Cell
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.upstream import Found, interesting, issue, repository

CELL = Cell.parse("toy/ToyModel/forward-static/onnx")
FRAME = '  File "/home/me/.venv/lib/site-packages/{}", line {}, in f\n    call_{}()\n'
TRACE = "Traceback (most recent call last):\n" + "".join(
    FRAME.format(*each)
    for each in [
        ("torch/export/__init__.py", 1, "a"),
        ("torch/_trace.py", 2, "b"),
        ("transformers/models/toy/modeling_toy.py", 3, "model"),
        ("torch/x.py", 4, "c"),
        ("torch/y.py", 5, "d"),
        ("torch/z.py", 6, "e"),
        ("torch/last.py", 7, "last"),
    ]
)
SHOWN = Result(
    cell=CELL,
    outcome=Outcome.FAIL,
    stage=Stage.CAPTURE,
    reason="ValueError: no",
    traceback=f"{TRACE}ValueError: no\nmore of it\n",
)
FOUND = Found(
    cell=CELL,
    backend="onnx",
    title="ValueError: no",
    signature="s1-abc",
    owner="torch.export",
    evidence="dynamo fails alike",
    script="print('```')\n",
    shown=SHOWN,
    stack={"torch": "2.13.0"},
    requirements="torch==2.13.0",
    same=True,
    tolerance="within 0.0001",
    shared={"toy": 1, "bert": 12},
)


@pytest.mark.parametrize(
    ("owner", "backend", "where"),
    [
        ("model", "onnx", "huggingface/transformers"),
        ("transformers.exporters", "onnx", "huggingface/transformers"),
        ("torch.export", "executorch", "pytorch/pytorch"),
        ("onnxscript", "onnx", "microsoft/onnxscript"),
        ("onnxruntime", "onnx", "microsoft/onnxruntime"),
        ("numerics", "executorch", "pytorch/executorch"),
        ("unknown", "mine", "huggingface/transformers"),
    ],
)
def test_an_issue_goes_to_the_owners_repository(owner: str, backend: str, where: str) -> None:
    assert repository(owner, backend) == where


def test_an_issue_has_all_that_its_reader_needs() -> None:
    made = issue(FOUND)
    assert (made.repository, made.title) == (
        "pytorch/pytorch",
        "[onnx export] ToyModel: ValueError: no",
    )
    for said in (
        "torch `2.13.0`",
        "`pip install torch==2.13.0`",
        "`dynamo fails alike`",
        "13 cells fail alike, of 2 model types: `bert` (12), `toy` (1).",
        "The export gives a program.",
    ):
        assert said in made.body


def test_code_that_holds_a_fence_does_not_end_it() -> None:
    assert "````python\nprint('```')\n````" in issue(FOUND).body


def test_a_script_that_shows_something_else_is_not_sold_as_a_proof() -> None:
    assert "did not show the same failure" not in issue(FOUND).body
    assert "did not show the same failure" in issue(replace(FOUND, same=False)).body


def test_values_name_their_tolerance() -> None:
    shown = SHOWN.replace(stage=Stage.COMPARE, traceback=None, reason="output 'x': 1 of 2")
    body = issue(replace(FOUND, shown=shown)).body
    assert "what eager gives, within 0.0001" in body
    assert "output 'x': 1 of 2" in body


def _differs(problem: str) -> Result:
    output = OutputDifference(
        name="x", problem=problem, shape=(2,), expected_shape=(3,), mismatched=1, elements=9
    )
    part = ComponentResult(
        name="model", outcome=Outcome.FAIL, stage=Stage.COMPARE, outputs=(output,)
    )
    return SHOWN.replace(stage=Stage.COMPARE, traceback=None, components=(part,))


def test_values_that_differ_are_no_matter_of_rounding_and_shapes_never_are() -> None:
    values, shape = (
        issue(replace(FOUND, shown=_differs(each))).body for each in ("values", "shape")
    )
    assert "Rounding doesn't explain the difference" in values
    assert "output 'x': 1 of 9 elements beyond tolerance" in values
    assert "Rounding" not in shape
    assert "output 'x': shape (2,), eager gives (3,)" in shape


def test_of_a_traceback_the_model_and_the_last_frames_are_interesting() -> None:
    told = "\n".join(interesting(SHOWN))
    assert 'File "transformers/models/toy/modeling_toy.py", line 3' in told
    assert "call_last()" in told
    assert "call_b()" not in told
    assert told.endswith("ValueError: no\nmore of it")
    assert "/home/me" not in told


def test_a_traceback_in_which_no_frame_is_told_is_its_last_lines() -> None:
    shown = SHOWN.replace(traceback="terminate called after throwing\nan instance of 'std::length'")
    assert interesting(shown) == shown.traceback.splitlines()
