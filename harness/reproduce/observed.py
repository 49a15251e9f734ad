"""What a minimal script showed, as the result of an attempt: so that it has a signature. Pure.

The section that the raising line stands in is the stage. Differences are read from the words of
`torch.testing.assert_close`, and told in those of `harness.verify`, as an attempt tells them.
"""

import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from harness.cells import Cell
from harness.isolation.endings import Cause
from harness.reproduce.alone import Ran
from harness.reproduce.minimal import stage_at
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from harness.verify import problems

_HEAD = "Traceback (most recent call last):\n"
_CHAINED = (
    "The above exception was the direct cause of the following exception:\n\n",
    "During handling of the above exception, another exception occurred:\n\n",
)
_LINE = re.compile(r'^  File "[^"]*script\.py", line (\d+), in <module>$', re.MULTILINE)
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::.*)?$", re.MULTILINE)
_DIFFERS = re.compile(r"^output '(?P<name>[^']*)': (?P<said>.*?)(?=^output '|\Z)", re.M | re.S)
_SHAPES = re.compile(
    r"'shape' do not match: torch\.Size\(\[(?P<have>.*?)\]\) != torch\.Size\(\[(?P<want>.*?)\]\)"
)
_DTYPES = re.compile(r"'dtype' do not match: torch\.(?P<have>\w+) != torch\.(?P<want>\w+)")
_COUNT = re.compile(r"Mismatched elements: (\d+) / (\d+)")
_WORST = re.compile(r"(?:Greatest absolute|Absolute) difference: ([-+.\deinfa]+)")
#: what a runtime raises where it can't run a program at all (`harness.backends`)
_REFUSALS = {"executorch": ("RuntimeError", "MemoryError"), "onnx": ("NotImplemented",)}
_LIMIT = "\nThe above exception was the direct cause of the following exception:\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a script was written for."""

    cell: Cell
    #: the backend that the script uses, which may be another than the cell's
    backend: str
    #: the other sizes it runs with
    other_label: str = ""


def observed(script: str, ran: Ran, context: Context) -> Result:
    """The result; a pass if the script ended without a failure."""
    if ran.exit_code == 0:
        return Result(cell=context.cell, outcome=Outcome.PASS)
    if ran.cause is not None or ran.exit_code < 0 or _HEAD not in ran.stderr:
        return _death(ran, context)
    trace = _final(ran.stderr)
    line = _LINE.search(trace[trace.rindex(_HEAD) :])
    stage = stage_at(script, int(line[1])) if line else Stage.BUILD
    if stage is Stage.CAPTURE and ran.captured:
        stage = Stage.LOWER
    if stage in (Stage.COMPARE, Stage.RESIZE) and "differs from eager in" in trace:
        return _mismatch(ran, context, stage)
    return _raised(trace, ran, context, stage)


def _death(ran: Ran, context: Context) -> Result:
    outcome, reason, name = Outcome.CRASH, f"exited with {ran.exit_code}", None
    if ran.cause is Cause.DEADLINE:
        outcome, reason = Outcome.TIMEOUT, f"over the time limit ({ran.seconds:.0f} s)"
    elif ran.cause is Cause.MEMORY:
        outcome, reason = Outcome.OOM, f"over the memory limit ({ran.peak_bytes >> 20} MiB)"
    elif ran.exit_code < 0:
        name = signal.Signals(-ran.exit_code).name
        reason = f"killed by {name}"
    stage = Stage.LOWER if ran.captured else Stage.CAPTURE
    return Result(
        cell=context.cell,
        outcome=outcome,
        stage=stage,
        reason=reason,
        signal=name,
        log_tail=ran.stderr[-8_000:] or None,
    )


def _final(stderr: str) -> str:
    """The interpreter's last traceback with the exceptions that led to it."""
    start = stderr.rindex(_HEAD)
    while stderr[:start].endswith(_CHAINED) and _HEAD in stderr[:start]:
        start = stderr[:start].rindex(_HEAD)
    return stderr[start:]


def _raised(trace: str, ran: Ran, context: Context, stage: Stage) -> Result:
    name, message = _said(trace[trace.rindex(_HEAD) + len(_HEAD) :])
    reason, kind = f"{name}: {message}", None
    refused = name in _REFUSALS.get(context.backend, ())
    if refused and stage in (Stage.LOAD, Stage.INFER):
        said = ran.stderr[: ran.stderr.index(trace)].strip()
        reason, kind = message, "runtime-limit"
        trace += f"{_LIMIT}{_HEAD}harness.errors.RuntimeLimit: {message}\n{said}"
    if stage is Stage.RESIZE:
        reason = f"refuses other sizes ({context.other_label}): {reason}"
        kind = "specialized-shape"
    return _failed(context, stage, reason, kind=kind, traceback=trace)


def _said(last: str) -> tuple[str, str]:
    """The type of an exception, and the first line of its message that says anything."""
    found = _RAISED.search(last)
    if found is None:
        return "Exception", ""
    message = last[found.end("type") :].removeprefix(":").strip()
    return found["type"].rpartition(".")[2], message.partition("\n")[0]


def _mismatch(ran: Ran, context: Context, stage: Stage) -> Result:
    sizes = context.other_label if stage is Stage.RESIZE else "traced"
    outputs = tuple(_differences(ran.stdout, sizes))
    told = problems(outputs)
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    fixed = stage is Stage.RESIZE and any(each.problem == "shape" for each in outputs)
    kind = "specialized-shape" if fixed else "mismatch"
    reason = told[0] + more if told else "differs"
    return _failed(context, stage, reason, kind=kind, outputs=outputs)


def _failed(  # noqa: PLR0913  (what a result is told by)
    context: Context,
    stage: Stage,
    reason: str,
    *,
    kind: str | None,
    traceback: str | None = None,
    outputs: tuple[OutputDifference, ...] = (),
) -> Result:
    part = ComponentResult(
        name="model",
        outcome=Outcome.FAIL,
        stage=stage,
        kind=kind,
        reason=reason,
        outputs=outputs,
    )
    return Result(
        cell=context.cell,
        outcome=Outcome.FAIL,
        stage=stage,
        kind=kind,
        reason=reason,
        components=(part,),
        traceback=traceback,
    )


def _differences(stdout: str, sizes: str) -> Iterator[OutputDifference]:
    for found in _DIFFERS.finditer(stdout):
        name, said = found["name"], found["said"]
        if shapes := _SHAPES.search(said):
            yield OutputDifference(
                name=name,
                sizes=sizes,
                problem="shape",
                shape=_shape(shapes["have"]),
                expected_shape=_shape(shapes["want"]),
            )
        elif dtypes := _DTYPES.search(said):
            yield OutputDifference(
                name=name,
                sizes=sizes,
                problem="dtype",
                dtype=dtypes["have"],
                expected_dtype=dtypes["want"],
            )
        elif "None mismatch" in said:
            problem = "missing" if "None mismatch: None" in said else "unexpected"
            yield OutputDifference(name=name, sizes=sizes, problem=problem)
        else:
            yield _values(name, said, sizes)


def _values(name: str, said: str, sizes: str) -> OutputDifference:
    count, worst = _COUNT.search(said), _WORST.search(said)
    size = float(worst[1]) if worst else None
    finite = size is not None and size - size == 0
    return OutputDifference(
        name=name,
        sizes=sizes,
        problem="values" if finite else "nonfinite",
        mismatched=int(count[1]) if count else 1,
        elements=int(count[2]) if count else 1,
        max_abs_diff=size if finite else None,
    )


def _shape(text: str) -> tuple[int, ...]:
    return tuple(map(int, filter(None, text.split(", "))))
