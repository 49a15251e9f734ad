"""A model and inputs that fail, as few words as make them: what a minimal script is made of.

A subject is written as the body of a function that gives `(module, inputs)`, so that what was tried
and what the script says are the same lines. Inputs are plain: numbers that are few are written
out, others are drawn from torch's generator, seeded before the model is made.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

#: what `describe` calls a tensor among inputs
TENSOR = "__tensor__"
SPELLED_ELEMENTS = 64
_WIDTH = 88
_OWN_DTYPES = ("int64", "bool", "float32")

PART_OF = """\
def part_of(model, inputs, name):
    part, seen = model.get_submodule(name), {}

    def note(part, args, kwargs):
        names = inspect.signature(part.forward).parameters
        seen.update(copy.deepcopy({**dict(zip(names, args)), **kwargs}))

    with torch.no_grad(), part.register_forward_pre_hook(note, with_kwargs=True):
        model(**copy.deepcopy(inputs))
    return part, {name: value for name, value in seen.items() if value is not None}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A tensor among inputs."""

    shape: tuple[int, ...]
    #: `int64`
    dtype: str
    #: its numbers, flat, where they are few and whole
    values: tuple[int, ...] | None = None
    #: its only number
    fill: float | None = None
    #: the least and the largest of whole numbers
    low: int = 0
    high: int = 0

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        values = record["values"]
        known = {"shape": tuple(record["shape"]), "values": values and tuple(values)}
        return cls(**{**record, **known})

    def cut(self, axis: int, size: int) -> Self:
        """Its first `size` along an axis."""
        shape = (*self.shape[:axis], size, *self.shape[axis + 1 :])
        if self.values is None:
            return replace(self, shape=shape)
        inner = math.prod(self.shape[axis + 1 :])
        block = inner * self.shape[axis]
        kept = [
            self.values[start : start + inner * size] for start in range(0, len(self.values), block)
        ]
        return replace(self, shape=shape, values=tuple(each for part in kept for each in part))

    def spelled(self) -> str:
        """An expression that makes it."""
        typed = "" if self.dtype in _OWN_DTYPES else f", dtype=torch.{self.dtype}"
        if self.fill is not None:
            return f"torch.full({self.shape}, {self._filled()!r}, dtype=torch.{self.dtype})"
        if self.values is not None:
            numbers = map(bool, self.values) if self.dtype == "bool" else self.values
            return f"torch.tensor({_nested(list(numbers), self.shape)}{typed})"
        if "float" in self.dtype:
            return f"torch.randn({self.shape}{typed})"
        if self.dtype == "bool":
            return f"torch.rand({self.shape}) > 0.5"
        return f"torch.randint({self.low}, {self.high + 1}, {self.shape}{typed})"

    def _filled(self) -> bool | int | float:
        value = self.fill or 0
        if self.dtype == "bool":
            return bool(value)
        return float(value) if "float" in self.dtype else int(value)


def _nested(numbers: list[Any], shape: Sequence[int]) -> Any:  # noqa: ANN401  (a nest of numbers)
    if not shape:
        return numbers[0]
    step = math.prod(shape[1:])
    return [_nested(numbers[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What fails, and nothing that it fails without."""

    backend: str
    #: dotted module and name of the model class
    module: str
    model_class: str
    configuration: Mapping[str, Any]
    #: forward or generate kwargs: tensors, numbers, nests of them
    inputs: Mapping[str, Any]
    #: the same in other sizes, for a failure that only those show
    other: Mapping[str, Any] | None = None
    other_label: str = ""
    dynamic: bool = False
    #: whether noise is added to the weights
    noisy: bool = False
    #: how Transformers decomposes it, as a call, and the component that is meant
    decompose: str | None = None
    component: str | None = None
    #: dotted path of the part of the model (or component) that is exported alone
    part: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """Read back what `to_record` wrote."""
        read = {"inputs": _read(record["inputs"]), "other": _read(record["other"])}
        return cls(**{**record, **read})

    def to_record(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "inputs": _written(self.inputs),
            "other": _written(self.other),
        }

    def imports(self) -> Iterator[str]:
        """The import lines of its body, sorted as isort does."""
        yield from ("import copy", "import inspect", "") if self.part else ()
        yield "import torch"
        if self.decompose:
            yield f"from transformers.exporters.utils import {self.decompose.partition('(')[0]}"
        yield f"from {self.module} import {self.model_class}"

    def helpers(self) -> str:
        return PART_OF if self.part else ""

    def body(self) -> Iterator[str]:
        """Statements that make `module` and `inputs`, and `other_inputs` where there are any."""
        yield "torch.manual_seed(0)"
        yield f"config = {self.model_class}.config_class.from_dict({_filled(self.configuration)})"
        yield f"model = module = {self.model_class}(config).eval()"
        if self.noisy:
            yield "for _, weight in sorted(model.named_parameters()):"
            yield "    weight.data += 0.05 * torch.randn_like(weight)"
        yield f"inputs = {_dictionary(self.inputs)}"
        yield from self._taken("inputs")
        if self.other is not None:
            yield f"other_inputs = {_dictionary(self.other)}"
            yield from self._taken("other_inputs")

    def _taken(self, name: str) -> Iterator[str]:
        """From the model's inputs to those of what is exported."""
        model = "model"
        if self.decompose:
            call = self.decompose.replace("INPUTS", name)
            yield f"module, {name} = {call}[{self.component!r}]"
            model = "module" if name == "inputs" else "component"
        if self.decompose and self.part and name == "inputs":
            yield "component = module"
            model = "component"
        if self.part:
            yield f"module, {name} = part_of({model}, {name}, {self.part!r})"

    def case_file(self) -> str:
        """A Python file whose function gives it as a case (`harness.zoo.own`)."""
        other = "" if self.other is None else ", other_inputs"
        body = _indented("\n".join([*self.body(), f"return module, inputs{other}"]))
        return "\n".join([*self.imports(), "", self.helpers(), f"def case():\n{body}\n"])


def _filled(configuration: Mapping[str, Any]) -> str:
    """A dict, as many entries a line as fit."""
    lines = [""]
    for key, value in configuration.items():
        entry = f"{key!r}: {value!r},"
        if len(entry) > _WIDTH and isinstance(value, Mapping):
            lines += [f"{key!r}: {_filled(value)},", ""]
            continue
        fits = lines[-1] and len(lines[-1]) + len(entry) < _WIDTH
        lines[-1:] = [f"{lines[-1]} {entry}"] if fits else [lines[-1], entry]
    return "\n".join(["{", *(_indented(line) for line in lines if line), "}"])


def _dictionary(inputs: Mapping[str, Any]) -> str:
    lines = [f"    {name!r}: {spelled(value)}," for name, value in inputs.items()]
    return "\n".join(["{", *lines, "}"])


def spelled(value: Any) -> str:  # noqa: ANN401  (a tensor, a number, a nest of them)
    """A value among inputs as an expression."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {spelled(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(spelled, value)) + "]"
    return value.spelled() if isinstance(value, Tensor) else repr(value)


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401  (as `spelled`)
    """The value with its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(each, change) for key, each in value.items()}
    return [mapped(each, change) for each in value] if isinstance(value, list) else value


def _read(value: Any) -> Any:  # noqa: ANN401  (as `spelled`)
    if isinstance(value, Mapping):
        if TENSOR in value:
            return Tensor.of(value[TENSOR])
        return {key: _read(each) for key, each in value.items()}
    return [_read(each) for each in value] if isinstance(value, list) else value


def _written(value: Any) -> Any:  # noqa: ANN401  (as `spelled`)
    if isinstance(value, Tensor):
        return {TENSOR: asdict(value)}
    if isinstance(value, Mapping):
        return {key: _written(each) for key, each in value.items()}
    return [_written(each) for each in value] if isinstance(value, list) else value


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a model that is called, seen from outside."""

    path: str
    class_name: str
    parameters: int
    #: where its class is written: file, first and last line
    file: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A case as a subject, and the parts of what it exports, in the order they are called."""

    subject: Subject
    parts: tuple[Part, ...] = field(default=())

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            subject=Subject.of(record["subject"]),
            parts=tuple(Part(**each) for each in record["parts"]),
        )

    def to_record(self) -> dict[str, Any]:
        return {
            "subject": self.subject.to_record(),
            "parts": [asdict(each) for each in self.parts],
        }
