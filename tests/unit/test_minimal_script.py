"""Minimal scripts: what they say, how long they are, and what is read from how they end."""

from dataclasses import replace

import pytest

from harness.cells import Cell
from harness.isolation.endings import Cause
from harness.reproduce.alone import Ran
from harness.reproduce.minimal import MAX_LINES, Telling, minimal, stage_at
from harness.reproduce.observed import Context, observed
from harness.reproduce.subject import Described, Part, Subject, Tensor
from harness.results import Outcome, Result, Stage
from runner.core.label import label

CELL = Cell.parse("toy/ToyModel/forward-dynamic/onnx")
CONTEXT = Context(cell=CELL, backend="onnx", other_label="batch 3, sequence 13")
SUBJECT = Subject(
    backend="onnx",
    module="transformers.models.toy.modeling_toy",
    model_class="ToyModel",
    configuration={f"some_size_{i}": 64 for i in range(24)},
    inputs={
        "input_ids": Tensor(shape=(2, 3), dtype="int64", values=(1, 2, 3, 4, 5, 6)),
        "pixel_values": Tensor(shape=(1, 3, 8, 8), dtype="float32"),
        "attention_mask": Tensor(shape=(2, 3), dtype="bool", fill=1),
    },
    other={"input_ids": Tensor(shape=(3, 200), dtype="int64", low=5, high=99)},
    dynamic=True,
)


def _script(stage: Stage, subject: Subject = SUBJECT, *, plain: bool = False) -> str:
    kept = subject if stage is Stage.RESIZE else replace(subject, other=None)
    return minimal(kept, Telling(title="It fails", about=("by hand",), stage=stage, plain=plain))


@pytest.mark.parametrize("backend", ["dynamo", "onnx", "executorch", "openvino"])
@pytest.mark.parametrize("stage", [each for each in Stage if each.order >= Stage.CAPTURE.order])
def test_a_script_is_python_of_at_most_sixty_lines(stage: Stage, backend: str) -> None:
    script = _script(stage, replace(SUBJECT, backend=backend))
    compile(script, "script.py", "exec")
    assert len(script.splitlines()) <= MAX_LINES
    assert "harness" not in script


def test_a_script_of_a_part_takes_what_the_part_is_called_with() -> None:
    script = _script(Stage.CAPTURE, replace(SUBJECT, part="layers.0.gate"))
    compile(script, "script.py", "exec")
    assert "module, inputs = part_of(model, inputs, 'layers.0.gate')" in script


def test_a_component_is_decomposed_as_transformers_does_it() -> None:
    call = "decompose_multimodal(model, INPUTS)"
    subject = replace(SUBJECT, decompose=call, component="image_encoder", part="layers.0")
    lines = _script(Stage.LOWER, subject).splitlines()
    taken = lines.index("module, inputs = decompose_multimodal(model, inputs)['image_encoder']")
    assert lines[taken + 2] == "module, inputs = part_of(component, inputs, 'layers.0')"
    assert "from transformers.exporters.utils import decompose_multimodal" in lines


def test_torch_export_alone_takes_no_exporter() -> None:
    script = _script(Stage.CAPTURE, replace(SUBJECT, backend="dynamo"), plain=True)
    assert "exporters" not in script
    assert "torch.export.export(module" in script


def test_inputs_are_written_out_where_they_are_few() -> None:
    script = _script(Stage.CAPTURE)
    assert "'input_ids': torch.tensor([[1, 2, 3], [4, 5, 6]])," in script
    assert "'pixel_values': torch.randn((1, 3, 8, 8))," in script
    assert "'attention_mask': torch.full((2, 3), True, dtype=torch.bool)," in script
    assert "torch.randint(5, 100, (3, 200))" in _script(Stage.RESIZE)


def test_a_long_configuration_within_one_has_lines_of_its_own() -> None:
    inner = {f"some_size_{i}": 64 for i in range(9)}
    subject = replace(SUBJECT, configuration={"a": 1, "vision_config": inner, "b": 2})
    script = _script(Stage.CAPTURE, subject)
    assert "    'a': 1,\n    'vision_config': {\n        'some_size_0': 64," in script
    assert "    },\n    'b': 2,\n})" in script


def test_a_subject_is_read_back_as_it_was_written() -> None:
    part = Part(path="a", class_name="A", parameters=3, file="/a.py", first=1, last=9)
    told = Described(subject=SUBJECT, parts=(part,))
    assert Described.of(told.to_record()) == told


def test_the_first_of_a_tensor_along_an_axis() -> None:
    ids = Tensor(shape=(2, 3), dtype="int64", values=(1, 2, 3, 4, 5, 6))
    assert ids.cut(1, 2).values == (1, 2, 4, 5)
    assert ids.cut(0, 1) == Tensor(shape=(1, 3), dtype="int64", values=(1, 2, 3))


# ── what a script showed ────────────────────────────────────────────────────────────────────────
def _line(script: str, start: str) -> int:
    lines = script.splitlines()
    return next(i for i, each in enumerate(lines, start=1) if each.startswith(start))


def _ran(script: str, at: str, raised: str, *, stdout: str = "", captured: bool = False) -> Ran:
    stderr = (
        "some warning\nTraceback (most recent call last):\n"
        '  File "<string>", line 10, in <module>\n'
        f'  File "/tmp/x/script.py", line {_line(script, at)}, in <module>\n    call()\n'
        '  File "/lib/transformers/models/toy/modeling_toy.py", line 5, in forward\n'
        f"    if x.sum() > 0:\n    ^^^^^^^\n{raised}\n"
    )
    return Ran(
        exit_code=1, seconds=1, peak_bytes=1, stdout=stdout, stderr=stderr, captured=captured
    )


def test_the_section_that_raises_tells_the_stage() -> None:
    script = _script(Stage.COMPARE)
    said = [
        stage_at(script, _line(script, at)) for at in ("config", "exported", "runtime", "feeds")
    ]
    assert said == [Stage.BUILD, Stage.CAPTURE, Stage.LOAD, Stage.INFER]


@pytest.mark.parametrize(("captured", "stage"), [(False, Stage.CAPTURE), (True, Stage.LOWER)])
def test_an_export_that_raises_is_signed_like_the_cell_it_is_from(
    captured: bool, stage: Stage
) -> None:
    script = _script(Stage.CAPTURE)
    raised = "torch.fx.SomeError: Could not guard on data-dependent expression Eq(u0, 0)"
    ran = _ran(script, "OnnxExporter", raised, captured=captured)
    found = observed(script, ran, CONTEXT)
    assert (found.outcome, found.stage) == (Outcome.FAIL, stage)
    of_cell = Result(
        cell=CELL,
        outcome=Outcome.FAIL,
        stage=stage,
        reason="SomeError: Could not guard on data-dependent expression Eq(u7, 0)",
        traceback='Traceback (most recent call last):\n  File "/a.py", line 1, in x\n    y\n'
        '  File "/b/transformers/models/toy/modeling_toy.py", line 50, in forward\n'
        "    if x.sum() > 0:\n"
        "torch.fx.SomeError: Could not guard on data-dependent expression Eq(u7, 0)\n",
    )
    assert label(found).signature == label(of_cell).signature


def test_a_message_that_begins_with_an_empty_line_is_told_by_its_first_words() -> None:
    script = _script(Stage.CAPTURE)
    raised = "torch.SpecViolationError: \nOperator aten.foo is not in the opset\nmore"
    found = observed(script, _ran(script, "OnnxExporter", raised, captured=True), CONTEXT)
    assert found.reason == "SpecViolationError: Operator aten.foo is not in the opset"


def test_values_that_differ_are_told_as_an_attempt_tells_them() -> None:
    script = _script(Stage.COMPARE)
    stdout = (
        "output 'logits': Tensor-likes are not close!\n\nMismatched elements: 3 / 20 (15.0%)\n"
        "Greatest absolute difference: 0.0125 at index (0, 1) (up to 0.0001 allowed)\n"
        "Greatest relative difference: 1.5 at index (0, 1) (up to 0.0001 allowed)\n"
        "output 'keys': The values for attribute 'shape' do not match: "
        "torch.Size([2, 10]) != torch.Size([2, 7]).\n"
    )
    raised = "AssertionError: the exported program differs from eager in ['logits', 'keys']"
    found = observed(script, _ran(script, "assert", raised, stdout=stdout), CONTEXT)
    assert (found.stage, found.kind, found.traceback) == (Stage.COMPARE, "mismatch", None)
    assert found.reason == ("output 'keys': shape (2, 10), eager gives (2, 7) (and 1 more)")
    assert found.components[0].outputs[1].shape == (2, 10)
    assert label(found).title == "output 'keys': shape <shape>, eager gives <shape>"


def test_a_program_that_refuses_other_sizes_is_specialized() -> None:
    script = _script(Stage.RESIZE)
    ran = _ran(script, "inputs = dict", "RuntimeError: Expected 2, got 3", captured=True)
    found = observed(script, ran, CONTEXT)
    assert (found.stage, found.kind) == (Stage.RESIZE, "specialized-shape")
    assert found.reason == (
        "refuses other sizes (batch 3, sequence 13): RuntimeError: Expected 2, got 3"
    )


def test_a_runtime_that_refuses_is_a_limit_of_it() -> None:
    script = _script(Stage.LOAD)
    ran = _ran(script, "runtime", "x.NotImplemented: no kernel for it", captured=True)
    found = observed(script, ran, CONTEXT)
    assert (found.stage, found.kind, found.reason) == (
        Stage.LOAD,
        "runtime-limit",
        "no kernel for it",
    )


def test_chained_exceptions_stay_together_and_others_do_not() -> None:
    script = _script(Stage.CAPTURE)
    ran = _ran(script, "OnnxExporter", "ValueError: last")
    before = "Traceback (most recent call last):\n  File 'x'\nKeyError: {}\n\n"
    cause = "The above exception was the direct cause of the following exception:\n\n"
    logged, first = before.format("logged"), before.format("first")
    chained = replace(ran, stderr=f"{logged}more words\n{first}{cause}{ran.stderr[13:]}")
    trace = observed(script, chained, CONTEXT).traceback or ""
    assert "KeyError: first" in trace
    assert "logged" not in trace


@pytest.mark.parametrize(
    ("ran", "outcome", "reason"),
    [
        ({"exit_code": -11}, Outcome.CRASH, "killed by SIGSEGV"),
        ({"exit_code": 3}, Outcome.CRASH, "exited with 3"),
        ({"exit_code": -9, "cause": Cause.DEADLINE}, Outcome.TIMEOUT, "over the time limit (7 s)"),
        ({"exit_code": -9, "cause": Cause.MEMORY}, Outcome.OOM, "over the memory limit (5 MiB)"),
        ({"exit_code": 0}, Outcome.PASS, None),
    ],
)
def test_a_script_that_dies_is_told_as_what_it_was(
    ran: dict[str, int], outcome: Outcome, reason: str | None
) -> None:
    usual = {"seconds": 7.0, "peak_bytes": 5 << 20, "stdout": "", "stderr": "", "captured": False}
    found = observed(_script(Stage.CAPTURE), Ran(**{**usual, **ran}), CONTEXT)  # type: ignore[arg-type]  # a table's row
    assert (found.outcome, found.reason) == (outcome, reason)
