"""The minimal script of a subject: it stops where the subject does, and has nothing after that.

Each stage is a section under a comment of its name (`# export`), so that a line that raised tells
its stage.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.reproduce.runtimes import BACKENDS
from harness.reproduce.subject import Subject
from harness.results import Stage
from harness.verify import TOLERANCES

MAX_LINES = 60
ATOL, RTOL = TOLERANCES["float32"]

#: section -> the stage that a line of it is at; `lower` is within `export`, after torch.export
SECTIONS = {
    "model": Stage.BUILD,
    "eager": Stage.EAGER,
    "export": Stage.CAPTURE,
    "load": Stage.LOAD,
    "run": Stage.INFER,
    "compare": Stage.COMPARE,
    "eager, other sizes": Stage.EAGER,
    "run and compare, other sizes": Stage.RESIZE,
}

_COMPARE = f"""\
failed = []
for name in dict.fromkeys([*expected, *actual]):
    try:
        torch.testing.assert_close(actual.get(name), expected.get(name), rtol={RTOL}, atol={ATOL})
    except AssertionError as error:
        failed.append(name)
        print(f"output {{name!r}}: {{error}}", flush=True)
assert not failed, f"the exported program differs from eager in {{failed}}\""""

_LOADS = {
    "dynamo": "runtime = program.module()",
    "onnx": """\
model = onnx_ir.to_proto(getattr(program, "model", program)).SerializeToString()
runtime = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])""",
    "executorch": """\
loaded = Runtime.get().load_program(program.buffer, verification=Verification.Minimal)
runtime = loaded.load_method("forward")""",
    "openvino": """\
precise = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
runtime = openvino.Core().compile_model(program, "CPU", precise)""",
}
_COMPLETED = "inputs = dict(prepare_for_export(module, copy.deepcopy(INPUTS))[1])"
_RUNS = {
    "dynamo": """\
with torch.no_grad():
    actual = get_leaf_tensors(runtime(**inputs))""",
    "onnx": """\
leaves = get_leaf_tensors(inputs)
names = {each.name: each.name.removeprefix("input.") for each in runtime.get_inputs()}
feeds = {name: leaves.get(name, leaves.get(bare)).numpy() for name, bare in names.items()}
given = [each.name.removeprefix("output.") for each in runtime.get_outputs()]
actual = dict(zip(given, map(torch.from_numpy, runtime.run(None, feeds))))""",
    "executorch": """\
spec = program.exported_program().call_spec
leaves = fx_pytree.tree_flatten_spec(((), inputs), spec.in_spec)
feeds = [each.contiguous() if isinstance(each, torch.Tensor) else each for each in leaves]
values = list(runtime.execute(feeds))[-spec.out_spec.num_leaves :]
actual = get_leaf_tensors(pytree.tree_unflatten(values, spec.out_spec))""",
    "openvino": """\
leaves, feeds = {**inputs, **get_leaf_tensors(inputs)}, {}
for port in runtime.inputs:
    names = [name.removeprefix("input.") for name in port.get_names()]
    feeds[port.any_name] = numpy.asarray(next(leaves[name] for name in names if name in leaves))
found = runtime(feeds)
ports = {port.any_name.removeprefix("output."): port for port in runtime.outputs}
actual = {name: torch.from_numpy(found[port].copy()) for name, port in ports.items()}""",
}
_IMPORTS = {
    "onnx": ("import onnx_ir", "import onnxruntime"),
    "openvino": ("import numpy", "import openvino"),
    "executorch": ("from executorch.runtime import Runtime, Verification",),
}
_TREES = ("from torch.fx import _pytree as fx_pytree", "from torch.utils import _pytree as pytree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a script says of itself, and how far it goes."""

    title: str
    #: lines about where it comes from, and the versions
    about: tuple[str, ...]
    stage: Stage
    #: torch.export itself instead of Transformers' exporter, where that fails the same way
    plain: bool = False


def minimal(subject: Subject, telling: Telling) -> str:
    """The script."""
    parts = BACKENDS[subject.backend]
    head = [f'"""{telling.title}', "", *telling.about, '"""']
    helper = subject.helpers()
    text = [
        *head,
        "",
        *_imports(subject, telling),
        "",
        *([helper, ""] if helper else []),
        "# model",
        *subject.body(),
    ]
    sections = [
        [f"# {section}", *lines]
        for section, lines in _sections(subject, telling, parts.prefix, parts.options)
    ]
    # A blank line before each, unless that makes it too long.
    room = len("\n".join(text).splitlines()) + sum(len(each) + 1 for each in sections) <= MAX_LINES
    for each in sections:
        text += ["", *each] if room else each
    return "\n".join(text) + "\n"


def stage_at(script: str, line: int) -> Stage:
    """The stage of a line of a script's own level, by the section it stands in."""
    named = [each.removeprefix("# ") for each in script.splitlines()[:line] if each[:2] == "# "]
    return next((SECTIONS[each] for each in reversed(named) if each in SECTIONS), Stage.BUILD)


def _imports(subject: Subject, telling: Telling) -> Iterator[str]:
    own = list(subject.imports())
    after = telling.stage.order >= Stage.LOAD.order
    if after and "import copy" not in own:
        own = ["import copy", "", *own]
    runs = telling.stage.order >= Stage.INFER.order
    yield from (each for each in own if each.startswith("import ") or not each)
    yield from _IMPORTS.get(subject.backend, ()) if after else ()
    yield from _TREES if runs and subject.backend == "executorch" else ()
    if not telling.plain:
        prefix = BACKENDS[subject.backend].prefix
        yield f"from transformers.exporters import {prefix}Config, {prefix}Exporter"
    if runs:
        yield "from transformers.exporters.utils import get_leaf_tensors, prepare_for_export"
    yield from (each for each in own if each.startswith("from "))


def _sections(
    subject: Subject, telling: Telling, prefix: str, options: str
) -> Iterator[tuple[str, list[str]]]:
    stage = telling.stage
    if stage is Stage.COMPARE:
        yield "eager", _eager("inputs")
    if telling.plain:
        call = "torch.export.export(module, args=(), kwargs=inputs, strict=False)"
        yield "export", ["with torch.no_grad():", f"    {call}"]
        return
    settings = f"{prefix}Config(dynamic={subject.dynamic}{options})"
    given = "copy.deepcopy(inputs)" if stage.order >= Stage.LOAD.order else "inputs"
    export = f"exported = {prefix}Exporter().export(module, {given}, {settings})"
    if stage.order < Stage.LOAD.order:
        yield "export", [export.removeprefix("exported = ")]
        return
    program = 'program = exported.program if hasattr(exported, "components") else exported'
    yield "export", [export, program]
    yield "load", _LOADS[subject.backend].splitlines()
    if stage in (Stage.INFER, Stage.COMPARE):
        yield "run", _run(subject.backend, "inputs")
    if stage is Stage.COMPARE:
        yield "compare", _COMPARE.splitlines()
    if stage is Stage.RESIZE:
        yield "eager, other sizes", _eager("other_inputs")
        yield "run and compare, other sizes", _run(subject.backend, "other_inputs", _COMPARE)


def _eager(inputs: str) -> list[str]:
    given = f"module(**copy.deepcopy({inputs}))"
    return ["with torch.no_grad():", f"    expected = get_leaf_tensors({given})"]


def _run(backend: str, inputs: str, *more: str) -> list[str]:
    return "\n".join([_COMPLETED.replace("INPUTS", inputs), _RUNS[backend], *more]).splitlines()
