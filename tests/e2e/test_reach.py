"""What cells of Transformers execute was reached from what their models are made of."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import pytest

from harness.attempt import attempt
from harness.backends import load_backend
from harness.cells import Cell
from harness.results import Result
from harness.zoo.base import TRANSFORMERS, load_zoo
from harness.zoo.discovery import package_folder
from runner.core.sources.boundaries import barred, runs
from runner.core.sources.fingerprint import Fingerprints
from runner.core.sources.reach import Place, Reached
from runner.steps.reusing import fingerprints

CELLS = [
    "bert/BertModel/forward-static/dynamo",
    "detr/DetrModel/forward-static/dynamo",
    "gemma2/Gemma2ForCausalLM/generate-static/dynamo",
    "llama/LlamaForTokenClassification/forward-static/dynamo",
    "llava/LlavaForConditionalGeneration/forward-static/dynamo",
    "mixtral/MixtralForCausalLM/forward-static/dynamo",
    "vit/ViTModel/forward-static/onnx",
    "wav2vec2/Wav2Vec2ForPreTraining/forward-static/dynamo",
]


@contextmanager
def _executed() -> Iterator[set[CodeType]]:
    codes: set[CodeType] = set()

    def see(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            codes.add(frame.f_code)

    sys.setprofile(see)
    try:
        yield codes
    finally:
        sys.setprofile(None)


def _places(codes: set[CodeType]) -> Iterator[Place]:
    """The definitions of Transformers that were called; classes' bodies run on import."""
    root = package_folder()
    for code in codes:
        file = Path(code.co_filename)
        name = code.co_qualname.partition(".<locals>")[0]
        if file.is_relative_to(root) and not name.startswith("<"):
            parts = file.relative_to(root.parent).with_suffix("").parts
            yield Place(".".join(parts).removesuffix(".__init__"), name)


def _run(cell: Cell) -> Result:
    return attempt(cell, zoo=load_zoo(), backend=load_backend(cell.backend))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Fingerprints:
    cache = tmp_path_factory.mktemp("cache")
    return fingerprints(TRANSFORMERS, None, common=[], cache=cache)


@pytest.mark.parametrize("cell_id", CELLS)
def test_what_a_cell_executes_was_reached(cell_id: str, found: Fingerprints) -> None:
    cell = Cell.parse(cell_id)
    made_of = _run(cell).recipe["made_of"]  # the first time imports, which is no matter of cells
    reached = found.reached(cell, made_of)
    with _executed() as codes:
        _run(cell)
    places = set(_places(codes))
    assert len(places) > 150
    assert _missed(places, reached) == []


def _missed(places: set[Place], reached: Reached) -> list[str]:
    """A class within a function or a class stands in what was reached with that."""
    tops = {Place(place.module, place.name.partition(".")[0]) for place in reached.origins}
    return sorted(
        place.id
        for place in places
        if not (runs(place.module) if barred(place.id) else place in reached.origins)
        and not (
            place.name.count(".") > 1 and Place(place.module, place.name.partition(".")[0]) in tops
        )
    )
