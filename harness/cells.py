"""Cells: what can be run, and the one spelling of their ids.

A cell is a case (a model class exported one way, its variant) and a backend. Its id is

    model_type/ModelClass/variant/backend      llama/LlamaForCausalLM/forward-dynamic/onnx

and is the same in shard files, pytest ids, URLs, the database and the CLI. The model type is the
name of the package under ``transformers/models/``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Self

from harness.errors import SelectionError, nearest

_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_ID = re.compile("/".join([f"({_PART})"] * 4))


def folded(text: str) -> str:
    """A name as globs compare it: case doesn't matter, and `-` equals `_`."""
    return text.lower().replace("_", "-")


class Variant(StrEnum):
    """How a model class is exported."""

    FORWARD_STATIC = "forward-static"
    FORWARD_DYNAMIC = "forward-dynamic"
    GENERATE_STATIC = "generate-static"
    GENERATE_DYNAMIC = "generate-dynamic"
    GENERATE_CACHE_STATIC = "generate-cache-static"

    # An enum's own is a function of Python, which every look-up of a cell would call.
    __hash__ = str.__hash__

    @property
    def dynamic(self) -> bool:
        """Whether the shapes are symbolic, so that the cell runs again with other sizes."""
        return self in (Variant.FORWARD_DYNAMIC, Variant.GENERATE_DYNAMIC)

    @property
    def generates(self) -> bool:
        """Whether `generate` is decomposed, instead of one plain forward."""
        return self not in (Variant.FORWARD_STATIC, Variant.FORWARD_DYNAMIC)

    @classmethod
    def named(cls, text: str) -> Self:
        """The variant of that name; `SelectionError` names the nearest one."""
        try:
            return cls(text)
        except ValueError:
            names = [variant.value for variant in cls]
            raise SelectionError(
                f"unknown variant {text!r}{nearest(text, names)} (one of {', '.join(names)})"
            ) from None


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One square of the matrix."""

    model_type: str
    model_class: str
    variant: Variant
    backend: str

    @property
    def id(self) -> str:
        return f"{self.case}/{self.backend}"

    @property
    def case(self) -> str:
        """What the backends of one model class and variant share."""
        return f"{self.model_type}/{self.model_class}/{self.variant}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id; `SelectionError` if it is not one."""
        found = _ID.fullmatch(text.strip())
        if found is None:
            raise SelectionError(
                f"{text!r} is not a cell id (model_type/ModelClass/variant/backend)"
            )
        model_type, model_class, variant, backend = found.groups()
        return cls(model_type, model_class, Variant.named(variant), backend)


#: a key to sort cells by, as they compare, without a call of Python's for each comparison
IN_ORDER = attrgetter("model_type", "model_class", "variant", "backend")


def read_cells(path: Path) -> Iterator[Cell]:
    """The cells of a file, each once; `SelectionError` names the line."""
    seen = set()
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not (text := line.partition("#")[0].strip()):
            continue
        try:
            cell = Cell.parse(text)
        except SelectionError as error:
            raise SelectionError(f"{path}:{number}: {error}") from None
        if cell not in seen:
            seen.add(cell)
            yield cell
