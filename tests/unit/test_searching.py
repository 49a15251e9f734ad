"""The search for less, over trials that fail as a text tells them to."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.cells import Cell, Variant
from harness.errors import MatrixError
from harness.isolation.messages import Limits
from harness.reproduce.subject import Described, Subject
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.label import label
from runner.revisions import Revision
from runner.steps.searching import Place, Search, Wanted

CELL = Cell.parse("toy/ToyModel/forward-static/onnx")
SUBJECT = Subject(
    backend="onnx",
    module="transformers.models.toy.modeling_toy",
    model_class="ToyModel",
    configuration={"num_hidden_layers": 2, "tie": True},
    inputs={},
    other={},
    other_label="batch 3",
)
PASSED = Result(cell=CELL, outcome=Outcome.PASS)


def _failed(stage: Stage = Stage.LOWER, said: str = "ValueError: no") -> Result:
    part = ComponentResult(name="model", outcome=Outcome.FAIL, stage=stage, reason=said)
    return Result(cell=CELL, outcome=Outcome.FAIL, stage=stage, reason=said, components=(part,))


class FakeTrials:
    """Trials that come to what a function of text and backend says."""

    def __init__(self, comes_to: Callable[[str, str], Result]) -> None:
        self._comes_to = comes_to
        self.asked: list[tuple[str, str]] = []

    def attempt(self, text: str, variant: Variant, backend: str, limits: Limits) -> Result:
        self.asked.append((text, backend))
        return self._comes_to(text, backend)

    def describe(self, cell: Cell, zoo: str, component: str | None, limits: Limits) -> Described:
        return Described(subject=SUBJECT)


def _search(
    comes_to: Callable[[str, str], Result], *, budget_s: float = 60, **wanted: str
) -> tuple[Search, FakeTrials]:
    place = Place(
        revision=Revision(name="5.23.0"), limits=Limits(), budget_s=budget_s, memory_mib=1000
    )
    trials = FakeTrials(comes_to)
    asked = Wanted(cell=CELL, zoo="harness.zoo.transformers", **wanted)
    return Search(asked, place, trials, lambda step: None), trials  # type: ignore[arg-type]  # a fake that works


def test_what_fails_whatever_it_is_made_of_is_made_small() -> None:
    search, _ = _search(lambda text, backend: _failed())
    subject, shown = search.run()
    assert subject.configuration == {"num_hidden_layers": 1}
    assert shown.signature == search.signature == label(_failed()).signature
    assert not subject.noisy


def test_noise_is_added_to_weights_only_where_plain_ones_do_not_fail() -> None:
    def comes_to(text: str, backend: str) -> Result:
        return _failed() if "load_zoo" in text or "randn_like" in text else PASSED

    subject, _ = _search(comes_to)[0].run()
    assert subject.noisy


@pytest.mark.parametrize(
    ("stage", "backend"), [(Stage.CAPTURE, "dynamo"), (Stage.LOWER, "onnx"), (Stage.LOAD, "onnx")]
)
def test_dynamo_is_asked_first_where_it_has_that_stage(stage: Stage, backend: str) -> None:
    search, trials = _search(lambda text, backend: _failed(stage))
    subject, _ = search.run()
    assert subject.backend == trials.asked[1][1] == backend


def test_without_a_budget_what_is_plain_is_not_made_smaller() -> None:
    search, trials = _search(lambda text, backend: _failed(), budget_s=0.0)
    subject, _ = search.run()
    assert subject == replace(SUBJECT, other=None)
    assert len(trials.asked) == 2


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (PASSED, "no failure to reproduce here, but a pass"),
        (Result(cell=CELL, outcome=Outcome.TIMEOUT, reason="over 300 s"), "but a timeout: over"),
        (_failed().replace(kind="memory-plan"), "what is smaller plans less"),
    ],
)
def test_what_shows_nothing_smaller_is_told_at_once(shown: Result, says: str) -> None:
    parts = tuple(replace(each, kind=shown.kind) for each in shown.components)
    with pytest.raises(MatrixError, match=says):
        _search(lambda text, backend: shown.replace(components=parts))


def test_another_signature_than_the_groups_is_refused() -> None:
    search, _ = _search(lambda text, backend: _failed(), signature="s9-other")
    with pytest.raises(MatrixError, match="fails here with another signature"):
        search.run()


def test_what_only_the_zoo_can_make_has_no_minimal_script() -> None:
    search, _ = _search(lambda text, backend: _failed() if "load_zoo" in text else PASSED)
    with pytest.raises(MatrixError, match="only with the weights and inputs of the zoo"):
        search.run()


def test_a_smaller_case_has_the_wrong_output_that_the_cell_has() -> None:
    def differs(*names: str) -> Result:
        outputs = tuple(
            OutputDifference(name=each, problem="values", max_abs_diff=0.5) for each in names
        )
        failed = _failed(Stage.COMPARE)
        parts = (replace(failed.components[0], kind="mismatch", outputs=outputs),)
        return failed.replace(kind="mismatch", components=parts)

    def comes_to(text: str, backend: str) -> Result:
        return differs("logits", "keys") if "'tie': True" in text else differs("values")

    def of_cell(text: str, backend: str) -> Result:
        return differs("logits") if "load_zoo" in text else comes_to(text, backend)

    search, _ = _search(of_cell)
    subject, _ = search.run()
    assert subject.configuration == {"num_hidden_layers": 1, "tie": True}


def test_other_sizes_are_called_as_the_cell_calls_them() -> None:
    said = "refuses other sizes (the sizes of the case): no"
    search, _ = _search(lambda text, backend: _failed(Stage.RESIZE, said))
    assert search.shown.reason == "refuses other sizes (batch 3): no"
    subject, _ = search.run()
    assert subject.other is not None
