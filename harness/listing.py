"""Lists a zoo's model classes, a JSON line each: `python -m harness.listing ZOO [--build [FILE]]`.

It runs in a process of its own, because which Transformers it sees is decided by PYTHONPATH, and
because `--build` runs model code: class names come in on stdin (`model_type/ModelClass`), one line
goes out per class as soon as it is known, so that a class that kills the process is known as well.
FILE holds dynamic shapes that a user gives.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.errors import CaseError, MatrixError, SkipError
from harness.results import jsonable
from harness.zoo.base import ModelClass, Zoo, load_zoo
from harness.zoo.shapes import ALL_AUTOMATIC, GivenShapes


def found(zoo: Zoo) -> Iterator[dict[str, object]]:
    """Every class that discovery finds, with the reason if it can't become cases."""
    for item in zoo.discover():
        yield {
            "model_type": item.model_type,
            "name": item.name,
            "module": item.module,
            "generative": item.generative,
            "skip": item.skip,
        }


def built(
    zoo: Zoo, names: Iterable[str], shapes: GivenShapes = ALL_AUTOMATIC
) -> Iterator[dict[str, object]]:
    """For each `model_type/ModelClass`: how its case is made or why it can't be, and the cost."""
    for name in names:
        model_type, _, model_class = name.strip().partition("/")
        record: dict[str, object] = {"model_type": model_type, "name": model_class}
        began, before = time.perf_counter(), _begin_peak()
        try:
            given = shapes.for_class(model_type, model_class)
            recipe = jsonable(zoo.build(model_type, model_class, given).recipe)
            record |= {"status": "ready", "reason": None, "recipe": recipe}
        except SkipError as error:
            record |= {"status": "skip", "reason": str(error), "recipe": {}}
        except CaseError as error:
            record |= {"status": "error", "reason": str(error), "recipe": {}}
        taken = _resident_bytes("VmHWM") - before
        yield record | {"seconds": time.perf_counter() - began, "peak_bytes": max(0, taken)}


def _begin_peak() -> int:
    """Begin to measure the largest memory anew; what is resident now."""
    with suppress(OSError):  # where it can't be, memory is that of the largest so far
        Path("/proc/self/clear_refs").write_text("5")
    return _resident_bytes("VmRSS")


def _resident_bytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def model_class(record: dict[str, object]) -> ModelClass:
    """Read a line of `found`."""
    return ModelClass(**record)  # type: ignore[arg-type]  # written by `found`, just above


def main(arguments: list[str]) -> int:
    out = sys.stdout
    # What model code prints must not mix with the lines.
    sys.stdout = sys.stderr
    try:
        zoo = load_zoo(arguments[0])
        for record in _asked(zoo, arguments[1:]):
            out.write(json.dumps(record) + "\n")
            out.flush()
    except MatrixError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _asked(zoo: Zoo, arguments: list[str]) -> Iterator[dict[str, object]]:
    match arguments:
        case ["--build", file]:
            return built(zoo, sys.stdin, GivenShapes.read(Path(file)))
        case ["--build"]:
            return built(zoo, sys.stdin)
        case _:
            return found(zoo)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
