"""What a zygote does before its first fork: import, and pay the first export of each backend once.

A child inherits all of it. Nothing here is fatal but a zoo or a file of shapes that can't be
loaded: a backend that fails to warm up is a warning, and its cells tell what is wrong with it.
"""

import gc
import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends import load_backend
from harness.backends.base import Backend
from harness.cells import Cell, Variant
from harness.results import Outcome, Stage
from harness.zoo.base import PROVIDERS, TESTERS, TRANSFORMERS, Zoo, load_zoo
from harness.zoo.shapes import ALL_AUTOMATIC, GivenShapes

#: model class that a zoo is warmed up with: the zoo's `warm_up` attribute, or this
_WARM_UP = dict.fromkeys(PROVIDERS.values(), "bert/BertModel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """What a cell begins with: in a forked child, what it inherits."""

    zoo: Zoo
    backends: dict[str, Backend]
    shapes: GivenShapes
    #: what could not be warmed up, a line each
    warnings: tuple[str, ...]


def warm_up(
    zoo_name: str,
    backend_names: Sequence[str],
    *,
    like: str | None = None,
    shapes_file: str | None = None,
) -> Warm:
    """Import everything; one tiny static export per backend, and a dynamic one for what they share.

    Those are exports of the zoo `like`, if it is given. Symbolic shapes cost the first export that
    has them 0.6 s (sympy's modules and caches).
    """
    shapes = shapes_of(shapes_file)
    if zoo_name in PROVIDERS.values() or "/" in zoo_name:
        _import_torch()
    zoo = load_zoo(zoo_name)
    if zoo_name in PROVIDERS.values():
        zoo.discover()  # seconds of reading sources, which no child should spend again
    importlib.import_module("harness.attempt")
    like = like or zoo_name
    model_class = getattr(zoo, "warm_up", _WARM_UP.get(like))
    backends: dict[str, Backend] = {}
    warnings: list[str] = []
    # Test code is for children alone: the other provider's case warms up as well.
    first = zoo
    if like != zoo_name or zoo_name == TESTERS:
        first = load_zoo(TRANSFORMERS if like == TESTERS else like)
    if like in PROVIDERS.values() and backend_names:
        case = f"{model_class}/{Variant.FORWARD_DYNAMIC}"
        warnings += _export(first, load_backend("dynamo"), case)
    for name in backend_names:
        try:
            backends[name] = load_backend(name)
            if model_class and not backends[name].missing():
                warnings += _export(
                    first, backends[name], f"{model_class}/{Variant.FORWARD_STATIC}"
                )
        except Exception as error:  # noqa: BLE001  (whatever a library raises: cells will tell)
            warnings.append(f"{name}: not warmed up: {type(error).__name__}: {error}")
    gc.collect()
    gc.freeze()
    return Warm(zoo=zoo, backends=backends, shapes=shapes, warnings=tuple(warnings))


def shapes_of(file: str | None) -> GivenShapes:
    """The dynamic shapes that a user gives, if any."""
    return GivenShapes.read(Path(file)) if file else ALL_AUTOMATIC


def _import_torch() -> None:
    torch = importlib.import_module("torch")
    # Before any op: a fork after OpenMP ran with two threads hangs at its next parallel region.
    torch.set_num_threads(1)
    importlib.import_module("transformers")


def _export(zoo: Zoo, backend: Backend, case: str) -> list[str]:
    from harness.attempt import attempt  # noqa: PLC0415  (it may import what is imported above)

    started = time.monotonic()
    cell = Cell.parse(f"{case}/{backend.name}")
    result = attempt(cell, zoo=zoo, backend=backend, enter=_ignore)
    print(f"warmed up {backend.name} in {time.monotonic() - started:.1f} s", flush=True)  # noqa: T201  (the zygote's log)
    if result.outcome is Outcome.PASS:
        return []
    return [f"{cell.id}: warm-up: {result.outcome}: {result.reason}"]


def _ignore(stage: Stage) -> None:
    """Nobody follows a warm-up."""
