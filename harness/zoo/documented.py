"""What a forward says about its parameters: their names, whether they are required, their shapes.

The library documents a tensor as ``name (`torch.LongTensor` of shape `(batch_size, …)`)``, with
round brackets or square ones; those words become sizes where a parameter has no rule of its own.
"""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LINE = re.compile(
    r"^\s*(\w+) \(`(.*?)`?(?: of shape `?[(\[]?([^`]*?)[)\]]?`)?[^`]*?\):", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a forward."""

    name: str
    required: bool
    #: `torch.LongTensor`, as documented or annotated; empty if it is neither
    kind: str = ""
    #: the words between the parentheses, `batch_size`, `sequence_length`
    shape: tuple[str, ...] = ()
    #: the class of the library that its value has to be, where the annotation is one
    library_class: str = ""


def parameters(model_class: type[Any]) -> Mapping[str, Parameter]:
    """The forward's named parameters, in its order."""
    documented = {
        name: (kind, tuple(word.strip() for word in shape.split(",") if word.strip()))
        for name, kind, shape in reversed(_LINE.findall(model_class.forward.__doc__ or ""))
    }
    named = list(inspect.signature(model_class.forward).parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {
        each.name: Parameter(
            name=each.name,
            required=each.default is inspect.Parameter.empty,
            kind=documented.get(each.name, ("", ()))[0] or _annotated(each),
            shape=documented.get(each.name, ("", ()))[1],
            library_class=_library_class(each),
        )
        for each in named
        if each.kind in kinds
    }


def _annotated(parameter: inspect.Parameter) -> str:
    """The annotation's words, `torch.LongTensor | None`."""
    if parameter.annotation is inspect.Parameter.empty:
        return ""
    written = parameter.annotation
    return written if isinstance(written, str) else str(getattr(written, "__name__", written))


def _library_class(parameter: inspect.Parameter) -> str:
    """The annotation's name where it is a class of Transformers itself."""
    written = parameter.annotation
    of_library = isinstance(written, type) and written.__module__.startswith("transformers.")
    return written.__name__ if of_library else ""
