"""Which cells a change of Transformers' sources can affect."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cells import Cell
from runner.core.sources.fingerprint import Fingerprints
from runner.core.sources.impact import Impact, impact
from runner.revisions import Revision
from runner.steps.reusing import fingerprints
from runner.steps.selecting import Asked, model_classes, select
from runner.store.engine import Engine
from runner.store.fingerprints import remembered


def affected(
    engine: Engine, asked: Asked, before: Revision, after: Revision, *, cache: Path
) -> Impact:
    """Compare the sources of two revisions for the cells asked for.

    What a model is made of is known of cells that have run; of others it is read from their class.
    """
    old, new = (
        fingerprints(asked.zoo, each.path, common=[], cache=cache) for each in (before, after)
    )
    selected = select(asked, revision_path=after.path)
    cells = [cell for cell in selected.cells if cell not in selected.skips]
    known = {each.cell: each.made_of for each in remembered(engine, cells)}
    defined = {
        (each.model_type, each.name): each.module
        for each in model_classes(asked.zoo, revision_path=after.path)
    }
    return impact(old, new, _made_of(cells, known, defined, new))


def _made_of(
    cells: Iterable[Cell],
    known: dict[Cell, tuple[str, ...]],
    defined: dict[tuple[str, str], str],
    sources: Fingerprints,
) -> Iterable[tuple[Cell, Sequence[str]]]:
    for cell in cells:
        module = defined[cell.model_type, cell.model_class]
        beside = module.replace(".modeling_", ".configuration_")
        guessed = [f"{module}:{cell.model_class}", *sources.sources.classes(beside)]
        yield cell, known.get(cell, guessed)
