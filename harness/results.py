"""Results: what came of one attempt at a cell, and its JSON line.

`fail` is theirs, `error` is ours. An attempt that dies (`crash`, `timeout`, `oom`) keeps the stage
it died in. A result line carries a schema number; a reader refuses a line of another schema instead
of guessing (more fields may be added within one schema, none renamed or dropped).
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, get_origin

from harness.cells import Cell
from harness.errors import MatrixError, RecordError

SCHEMA = 1


class Outcome(StrEnum):
    """What came of an attempt."""

    PASS = "pass"  # noqa: S105  (a word of the glossary, no password)
    FAIL = "fail"
    CRASH = "crash"
    TIMEOUT = "timeout"
    OOM = "oom"
    SKIP = "skip"
    ERROR = "error"


class Stage(StrEnum):
    """Where an attempt stopped; declared in the order in which the stages run."""

    BUILD = "build"
    EAGER = "eager"
    CAPTURE = "capture"
    LOWER = "lower"
    LOAD = "load"
    INFER = "infer"
    COMPARE = "compare"
    RESIZE = "resize"

    @property
    def order(self) -> int:
        """0 for `build` … 7 for `resize`."""
        return list(Stage).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """How one output of the exported program differs from eager's."""

    #: dotted path of the tensor in the model's output, `past_key_values.0.1`
    name: str
    #: `traced`, or the other sizes it ran with, `batch 3, sequence 11`
    sizes: str = "traced"
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    #: what eager gives, where the program's shape or dtype is another
    expected_shape: tuple[int, ...] | None = None
    expected_dtype: str | None = None
    #: largest absolute and relative difference over the finite elements; None if none compare
    max_abs_diff: float | None = None
    max_rel_diff: float | None = None
    #: elements beyond tolerance, of all elements
    mismatched: int = 0
    elements: int = 0
    atol: float = 0.0
    rtol: float = 0.0
    #: logits: the share of positions whose largest entry is the same one, or ties with it
    top1_agreement: float | None = None
    #: choices (the largest entry, indices of a top-k) that are others, but just as good in eager
    ties: int = 0
    #: None if equal within tolerance, else one of
    #: `values`, `nonfinite`, `shape`, `dtype`, `missing`, `unexpected`
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentResult:
    """What came of one exported graph of a cell."""

    name: str
    outcome: Outcome
    #: where it stopped; None for a pass
    stage: Stage | None = None
    #: set where the harness knows it by itself: `mismatch`, `specialized-shape`, `runtime-limit`
    kind: str | None = None
    #: one line of why
    reason: str | None = None
    outputs: tuple[OutputDifference, ...] = ()
    #: memory arenas that the program plans, in bytes (ExecuTorch)
    planned_bytes: int | None = None
    #: size of the exported program, in bytes, and the nodes of its graph
    program_bytes: int | None = None
    graph_nodes: int | None = None
    #: patches and graph fixes of `transformers.exporters` that fired
    patches: tuple[str, ...] = ()
    #: what a reader should know, `verified a second time with dimensions bounded to 64`
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One attempt at one cell and what came of it."""

    cell: Cell
    outcome: Outcome
    #: unique name of the run, shared by all its shards
    run: str = ""
    attempt: int = 1
    stage: Stage | None = None
    kind: str | None = None
    signature: str | None = None
    title: str | None = None
    #: one line of why: a skip's reason, an error's last line, `killed by SIGSEGV`
    reason: str | None = None
    components: tuple[ComponentResult, ...] = ()
    #: wall-clock seconds by stage
    durations_s: Mapping[str, float] = field(default_factory=dict)
    peak_rss_bytes: int | None = None
    revision: str = ""
    #: package -> version of everything that decides an outcome
    stack: Mapping[str, str] = field(default_factory=dict)
    #: the run that this result was carried over from
    carried_from: str | None = None
    traceback: str | None = None
    #: last lines of what the attempt printed, kept when it died
    log_tail: str | None = None
    #: name of the signal that ended it, `SIGSEGV`
    signal: str | None = None
    #: who made the case, and how (configuration changes, parameters, seed)
    provider: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Seconds over all stages."""
        return sum(self.durations_s.values())

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401  (any field's type)
        return dataclasses.replace(self, **changes)

    def to_line(self) -> str:
        """One line of JSON, without the line break."""
        record = {"schema": SCHEMA, **dataclasses.asdict(self), "cell": self.cell.id}
        record["recipe"] = jsonable(self.recipe)
        return json.dumps(record, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read a line that `to_line` wrote; `RecordError` says what is wrong with any other."""
        try:
            record = json.loads(line, parse_constant=_no_number)
        except ValueError as error:
            raise RecordError(f"not JSON ({error})") from None
        if not isinstance(record, dict) or "schema" not in record:
            raise RecordError("not a result of this project (no schema number)")
        if record["schema"] != SCHEMA:
            raise RecordError(f"schema {record['schema']!r}, but this version reads {SCHEMA}")
        try:
            return cls(**_fields(record))
        except (KeyError, TypeError, ValueError, AttributeError, MatrixError) as error:
            raise RecordError(f"damaged result ({type(error).__name__}: {error})") from None


def jsonable(value: Any) -> Any:  # noqa: ANN401  (what a configuration holds)
    """The value as JSON has it; what JSON lacks (infinity, a dtype) as text."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    known = value is None or isinstance(value, str | bool | int)
    return value if known or (isinstance(value, float) and math.isfinite(value)) else str(value)


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _known(cls: type, record: dict[str, Any]) -> dict[str, Any]:
    """The fields of `record` that `cls` has; a newer writer may have added others."""
    names = {spec.name for spec in dataclasses.fields(cls)}
    return {name: value for name, value in record.items() if name in names}


def _stage(value: str | None) -> Stage | None:
    return None if value is None else Stage(value)


def _typed(cls: type, known: dict[str, Any]) -> dict[str, Any]:
    """The fields, each of the type that `cls` declares; what a container holds is its reader's."""
    for spec in dataclasses.fields(cls):
        if spec.name in known and not isinstance(known[spec.name], _types(spec.type)):
            raise TypeError(f"{spec.name} is {known[spec.name]!r}")
    return known


def _types(hint: Any) -> tuple[type, ...]:  # noqa: ANN401  (an annotation)
    if isinstance(hint, types.UnionType):
        return tuple(each for part in hint.__args__ for each in _types(part))
    return (float, int) if hint is float else (get_origin(hint) or hint,)


def _output(record: dict[str, Any]) -> OutputDifference:
    known = _known(OutputDifference, record)
    for name in ("shape", "expected_shape"):
        if known.get(name) is not None:
            known[name] = tuple(map(int, known[name]))
    return OutputDifference(**_typed(OutputDifference, known))


def _component(record: dict[str, Any]) -> ComponentResult:
    known = _known(ComponentResult, record)
    known["outcome"] = Outcome(known["outcome"])
    known["stage"] = _stage(known.get("stage"))
    known["outputs"] = tuple(_output(output) for output in known.get("outputs", ()))
    known["patches"] = tuple(map(str, known.get("patches", ())))
    known["notes"] = tuple(map(str, known.get("notes", ())))
    return ComponentResult(**_typed(ComponentResult, known))


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    known = _known(Result, record)
    known["cell"] = Cell.parse(known["cell"])
    known["outcome"] = Outcome(known["outcome"])
    known["stage"] = _stage(known.get("stage"))
    known["components"] = tuple(_component(part) for part in known.get("components", ()))
    seconds = known.get("durations_s", {})
    known["durations_s"] = {stage: float(spent) for stage, spent in seconds.items()}
    return _typed(Result, known)
