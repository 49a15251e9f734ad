"""From a SELECT to cells: what the revision's zoo holds, and what of it was asked for.

Without a variant in the SELECT or on the command line, the forward variants are meant.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.backends import backend_names, missing
from harness.cells import Cell, Variant
from harness.errors import MatrixError
from harness.isolation.host import allowed
from harness.listing import model_class
from harness.zoo.base import TESTERS, TRANSFORMERS, ModelClass, load_zoo
from harness.zoo.discovery import package_folder
from harness.zoo.shapes import GivenShapes
from runner.core.query.nodes import Query
from runner.core.query.reader import parse
from runner.core.select import check_known
from runner.steps.recipes import Recipes

_READY = "ready"
_DEFAULT_BACKENDS = ("dynamo", "onnx", "executorch")
#: joins the default ones where it is installed
_OPTIONAL_BACKENDS = ("openvino",)
DEFAULT_VARIANTS = (Variant.FORWARD_STATIC, Variant.FORWARD_DYNAMIC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to run: SELECT words, and the axes that options name."""

    words: Sequence[str] = ()
    backends: Sequence[str] = ()
    variants: Sequence[str] = ()
    zoo: str = TRANSFORMERS
    #: file of dynamic shapes that a user gives
    shapes: Path | None = None

    @property
    def text(self) -> str:
        """As typed."""
        options = [f"backend:{name}" for name in self.backends]
        options += [f"variant:{name}" for name in self.variants]
        options += ["provider:testers"] if self.zoo == TESTERS else []
        return " ".join([*(self.words or ["smoke"]), *options])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The cells of a selection; those that can't run here have a reason, and become skips."""

    cells: tuple[Cell, ...]
    skips: Mapping[Cell, str]


def select(asked: Asked, *, revision_path: Path | None = None) -> Selected:
    """The cells asked for, of those that exist in the revision's zoo; none at all is an error."""
    load_zoo(asked.zoo)  # a zoo may bring backends of its own
    for name in asked.backends:
        missing(name)  # an unknown one is told at once
    selection = parse(" ".join(asked.words))
    variants = [Variant.named(name) for name in asked.variants]
    backends = asked.backends or (
        backend_names() if selection.names("backend") else default_backends()
    )
    classes = list(model_classes(asked.zoo, revision_path=revision_path))
    if asked.shapes:
        known = [(item.model_type, item.name) for item in classes]
        GivenShapes.read(asked.shapes).check_known(known)
    pairs = [
        (cell, item.skip)
        for item in classes
        for cell in _cells(item, variants or _variants(selection), backends)
    ]
    there = [cell for cell, _ in pairs]
    for part in selection.selections:
        check_known(part, there)
    skips = dict(pairs)
    cells = tuple(selection.cells(cell for cell, _ in pairs))
    if not cells:
        raise MatrixError(f"{asked.text!r} selects no cell; see `export-matrix cases all`")
    lacking = {name: missing(name) for name in {cell.backend for cell in cells}}
    reasons = {cell: skips[cell] or lacking[cell.backend] for cell in cells}
    return Selected(cells=cells, skips={cell: why for cell, why in reasons.items() if why})


def default_backends() -> list[str]:
    """The backends that are meant when none is named."""
    joined = [name for name in _OPTIONAL_BACKENDS if missing(name) is None]
    return [*_DEFAULT_BACKENDS, *joined]


def _variants(selection: Query) -> Sequence[Variant]:
    return list(Variant) if selection.names("variant") else DEFAULT_VARIANTS


def _cells(
    item: ModelClass, variants: Iterable[Variant], backends: Iterable[str]
) -> Iterator[Cell]:
    for variant in variants:
        if item.generative or not variant.generates:
            for backend in backends:
                yield Cell(item.model_type, item.name, variant, backend)


def model_classes(zoo: str, *, revision_path: Path | None = None) -> Iterator[ModelClass]:
    """All model classes of the zoo, seen with the revision's Transformers."""
    for record in _listing([zoo], revision_path=revision_path):
        yield model_class(record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What came of building the case of one model class."""

    #: `ready`, `skip` or `error`
    status: str
    reason: str | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    #: None where the recipe was remembered
    seconds: float | None = None
    peak_bytes: int | None = None


def builds(
    asked: Asked, names: Iterable[str], *, folder: Path, revision_path: Path | None = None
) -> Iterator[tuple[str, Build]]:
    """The build of each `model_type/ModelClass`; recipes are remembered in `folder`."""
    package = revision_path / "transformers" if revision_path else package_folder()
    if asked.zoo != TRANSFORMERS or asked.shapes:
        yield from _built(asked, names, revision_path=revision_path)
        return
    recipes, unknown = Recipes(folder, package), []
    for name in names:
        recipe = recipes.recall(name)
        if recipe is None:
            unknown.append(name)
        else:
            yield name, Build(status=_READY, recipe=recipe)
    made = {}
    try:
        for name, build in _built(asked, unknown, revision_path=revision_path):
            if build.status == _READY:
                made[name] = build.recipe
            yield name, build
    finally:
        recipes.remember(made)


def _built(
    asked: Asked, names: Iterable[str], *, revision_path: Path | None
) -> Iterator[tuple[str, Build]]:
    """A class that kills the process is an error itself; the rest go on in a new one."""
    waiting = list(names)
    options = [asked.zoo, "--build", *([str(asked.shapes)] if asked.shapes else [])]
    while waiting:
        seen = 0
        for record in _listing(options, waiting, revision_path=revision_path, fatal=False):
            yield waiting[seen], _build(record)
            seen += 1
        if seen < len(waiting):
            yield waiting[seen], Build(status="error", reason="the process died while building it")
        waiting = waiting[seen + 1 :]


def _build(record: Mapping[str, Any]) -> Build:
    names = ("status", "reason", "recipe", "seconds", "peak_bytes")
    return Build(**{name: record[name] for name in names})


def _listing(
    arguments: list[str],
    names: Iterable[str] = (),
    *,
    revision_path: Path | None,
    fatal: bool = True,
) -> Iterator[dict[str, object]]:
    with subprocess.Popen(  # noqa: S603  (our own module, no shell)
        [sys.executable, "-m", "harness.listing", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if fatal else subprocess.DEVNULL,
        env=sources_first(revision_path),
        text=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101  (it is a pipe)
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        process.stdin.write("".join(f"{name}\n" for name in names))
        process.stdin.close()
        yield from (json.loads(line) for line in process.stdout)
        if process.wait() and process.stderr is not None:
            last = (process.stderr.read().strip().splitlines() or ["no message"])[-1]
            raise MatrixError(f"can't list the model classes: {last}")


def sources_first(revision_path: Path | None) -> dict[str, str]:
    """The variables of a process that imports the revision's Transformers before the installed."""
    # What is listed or built may be a pull request's: it sees no token and no database.
    given = allowed(os.environ, "PYTEST_", "COVERAGE_")  # noqa: TID251  (handed on, not read)
    given["HF_HUB_OFFLINE"] = "1"
    if revision_path is not None:
        given["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(revision_path.resolve()), given.get("PYTHONPATH", "")])
        )
    return given
