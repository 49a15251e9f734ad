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
from functools import lru_cache
from operator import attrgetter
from typing import Any, Self, TypeVar, get_origin

from harness.cells import Cell
from harness.errors import MatrixError, RecordError

SCHEMA = 1

Made = TypeVar("Made")


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
        return _STAGES[self]


_STAGES = {stage: number for number, stage in enumerate(Stage)}


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
    #: the exported program: size in bytes, nodes of its graph, a digest that equal ones share
    program_bytes: int | None = None
    graph_nodes: int | None = None
    digest: str | None = None
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
    #: CPU seconds of the attempt's process and of those that it waited for
    cpu_s: float | None = None
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
        return spell(self.to_record())

    def to_record(self, *, sparse: bool = False) -> dict[str, Any]:
        """What the line holds, by field; sparse, without what is None, which is the default."""
        fields = _sparse_fields if sparse else _fields
        record = {"schema": SCHEMA, **fields(self)}
        record["cell"] = self.cell.id
        record["components"] = components = [fields(part) for part in self.components]
        for part in components:
            part["outputs"] = [fields(output) for output in part["outputs"]]
        return record

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read a line that `to_line` wrote; `RecordError` says what is wrong with any other."""
        try:
            record = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"not JSON ({error})") from None
        return cls.from_record(record)

    @classmethod
    def from_record(cls, record: Any) -> Self:  # noqa: ANN401  (whatever the line held)
        """The same for what a line holds; the record is used up."""
        if not isinstance(record, dict) or "schema" not in record:
            raise RecordError("not a result of this project (no schema number)")
        if record["schema"] != SCHEMA:
            raise RecordError(f"schema {record['schema']!r}, but this version reads {SCHEMA}")
        try:
            return _result(cls, record)
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


def spell(record: Mapping[str, Any]) -> str:
    """A record as JSON, in the one way that it is written."""
    try:
        return _ENCODER.encode(record)
    except (TypeError, ValueError):
        # Walked only where it must be: it is the largest part of a record, and mostly plain.
        return _ENCODER.encode({**record, "recipe": jsonable(record["recipe"])})


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


_NAMES = {
    cls: tuple(spec.name for spec in dataclasses.fields(cls))
    for cls in (OutputDifference, ComponentResult, Result)
}
_VALUES = {cls: attrgetter(*names) for cls, names in _NAMES.items()}


def _fields(part: Any) -> dict[str, Any]:  # noqa: ANN401  (a dataclass of this module)
    """`dataclasses.asdict`, one level deep and without copies."""
    return dict(zip(_NAMES[type(part)], _VALUES[type(part)](part), strict=True))


def _sparse_fields(part: Any) -> dict[str, Any]:  # noqa: ANN401  (a dataclass of this module)
    pairs = zip(_NAMES[type(part)], _VALUES[type(part)](part), strict=True)
    return {name: value for name, value in pairs if value is not None}


def _stage(value: str | None) -> Stage | None:
    return None if value is None else Stage(value)


def _made(cls: type[Made], record: dict[str, Any]) -> Made:
    """`cls` from its fields in the record, each of the type that it declares.

    What a container holds is its reader's; a newer writer may have added other fields.
    """
    judged: type = cls
    foreign, wrong = _judged(judged, tuple(record), tuple(map(type, record.values())))
    if wrong:
        raise TypeError(f"{wrong[0]} is {record[wrong[0]]!r}")
    for name in foreign:
        del record[name]
    return cls(**record)


# Records have few forms, and each is judged once: a line has a hundred fields.
@lru_cache(maxsize=512)
def _judged(
    cls: type, names: tuple[str, ...], found: tuple[type, ...]
) -> tuple[list[str], list[str]]:
    """The fields that `cls` does not have, and those of another type than it declares."""
    declared = {spec.name: _types(spec.type) for spec in dataclasses.fields(cls)}
    given = dict(zip(names, found, strict=True))
    return (
        [name for name in given if name not in declared],
        [
            name
            for name, kind in given.items()
            if name in declared and not issubclass(kind, declared[name])
        ],
    )


def _types(hint: Any) -> tuple[type, ...]:  # noqa: ANN401  (an annotation)
    if isinstance(hint, types.UnionType):
        return tuple(each for part in hint.__args__ for each in _types(part))
    return (float, int) if hint is float else (get_origin(hint) or hint,)


def _output(record: dict[str, Any]) -> OutputDifference:
    for name in ("shape", "expected_shape"):
        if record.get(name) is not None:
            record[name] = tuple(map(int, record[name]))
    return _made(OutputDifference, record)


def _component(record: dict[str, Any]) -> ComponentResult:
    record["outcome"] = Outcome(record["outcome"])
    record["stage"] = _stage(record.get("stage"))
    record["outputs"] = tuple(map(_output, record.get("outputs", ())))
    record["patches"] = tuple(map(str, record.get("patches", ())))
    record["notes"] = tuple(map(str, record.get("notes", ())))
    return _made(ComponentResult, record)


def _result(cls: type[Made], record: dict[str, Any]) -> Made:
    record["cell"] = Cell.parse(record["cell"])
    record["outcome"] = Outcome(record["outcome"])
    record["stage"] = _stage(record.get("stage"))
    record["components"] = tuple(map(_component, record.get("components", ())))
    seconds = record.get("durations_s", {})
    record["durations_s"] = {stage: float(spent) for stage, spent in seconds.items()}
    return _made(cls, record)
