"""What comes of an attempt, on toys: the stage it stops at, the kind, and whose it is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.attempt import attempt
from harness.backends.base import Enter, Program, Runtime
from harness.cells import Cell
from harness.errors import RuntimeLimit, SkipError
from harness.results import Outcome, Result, Stage
from harness.zoo.base import Component, Inputs, Outputs
from tests.toyzoo.backend import AbsentBackend, ToyBackend
from tests.toyzoo.toys import TOYS, Toy
from tests.toyzoo.zoo import ToyZoo

Keep = Callable[[type[Toy]], str]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Keep:
    def keep(made: type[Toy]) -> str:
        monkeypatch.setitem(TOYS, made.__name__, made)
        return made.__name__

    return keep


def run(name: str, variant: str = "forward-static", backend: ToyBackend | None = None) -> Result:
    cell = Cell.parse(f"toy/{name}/{variant}/toy")
    return attempt(cell, zoo=ToyZoo(), backend=backend or ToyBackend(), plan_limit_bytes=1000)


def told(result: Result) -> tuple[Outcome, Stage | None, str | None]:
    return result.outcome, result.stage, result.kind


class Greedy(ToyBackend):
    """Plans too much memory, unless it is bounded."""

    def export(
        self, component: Component, *, dynamic: bool, bound: int | None, enter: Enter
    ) -> Program:
        program = super().export(component, dynamic=dynamic, bound=bound, enter=enter)
        return replace(program, planned_bytes=10 if bound else 5000)


class Limited(ToyBackend):
    """Its runtime lacks a kernel."""

    def load(self, program: Program) -> Runtime:
        def refuse(inputs: Inputs) -> Outputs:
            raise RuntimeLimit("0x14 missing aten::toy.out")

        return refuse


def test_a_program_that_agrees_with_eager_passes() -> None:
    result = run("Passes")
    assert told(result) == (Outcome.PASS, None, None)
    assert {"build", "eager", "capture", "compare"} <= set(result.durations_s)


def test_a_program_that_computes_other_values_is_a_mismatch() -> None:
    assert told(run("DriftsNumerically")) == (Outcome.FAIL, Stage.COMPARE, "mismatch")


def test_values_that_differ_no_more_than_eager_does_by_rounding_are_our_error() -> None:
    result = run("AmplifiesRounding")
    assert told(result) == (Outcome.ERROR, Stage.COMPARE, "ill-conditioned")
    assert "moves by 0.125" in (result.reason or "")


def test_values_that_depend_on_the_random_numbers_drawn_are_our_error(toy: Keep) -> None:
    class Draws(Toy):
        def run(self, x: np.ndarray) -> np.ndarray:
            return x * 3

        def shaken(self, x: np.ndarray) -> dict[str, np.ndarray]:
            return {"random": x * 4, "ill-conditioned": self.forward(x)}

    assert told(run(toy(Draws))) == (Outcome.ERROR, Stage.COMPARE, "random")


def test_values_that_differ_far_more_than_eager_moves_are_a_mismatch(toy: Keep) -> None:
    class Wrong(Toy):
        def run(self, x: np.ndarray) -> np.ndarray:
            return x * 3

        def shaken(self, x: np.ndarray) -> dict[str, np.ndarray]:
            moved = self.forward(x) + np.float32(0.001)
            return {"random": self.forward(x), "ill-conditioned": moved}

    assert told(run(toy(Wrong))) == (Outcome.FAIL, Stage.COMPARE, "mismatch")


def test_a_wrong_shape_is_a_mismatch_however_much_eager_moves(toy: Keep) -> None:
    class Shorter(Toy):
        def run(self, x: np.ndarray) -> np.ndarray:
            return self.forward(x)[:1]

        def shaken(self, x: np.ndarray) -> dict[str, np.ndarray]:
            return {"random": x * 9, "ill-conditioned": x * 9}

    assert told(run(toy(Shorter))) == (Outcome.FAIL, Stage.COMPARE, "mismatch")


def test_a_program_that_fixed_a_dimension_is_caught_with_other_sizes(toy: Keep) -> None:
    class Fixed(Toy):
        def run(self, x: np.ndarray) -> np.ndarray:
            if x.shape != (2, 3):
                raise ValueError("expected (2, 3)")
            return self.forward(x)

    name = toy(Fixed)
    assert told(run(name)) == (Outcome.PASS, None, None)
    dynamic = run(name, "forward-dynamic")
    assert told(dynamic) == (Outcome.FAIL, Stage.RESIZE, "specialized-shape")
    assert "expected (2, 3)" in (dynamic.traceback or "")


def test_a_package_that_turns_out_to_be_missing_while_building_is_a_skip(toy: Keep) -> None:
    class NeedsTimm(Toy):
        def __init__(self) -> None:
            raise SkipError("needs timm, which is not installed")

    result = run(toy(NeedsTimm))
    assert told(result) == (Outcome.SKIP, None, None)
    assert result.reason == "needs timm, which is not installed"


def test_a_generating_variant_says_that_no_tokens_are_compared() -> None:
    (part,) = run("Passes", "generate-static").components
    assert "no tokens are generated" in part.notes[0]


def test_an_eager_run_that_does_not_repeat_is_our_error(toy: Keep) -> None:
    class Wanders(Toy):
        calls = 0

        def forward(self, x: np.ndarray) -> np.ndarray:
            self.calls += 1
            return x + np.float32(self.calls)

    assert told(run(toy(Wanders))) == (Outcome.ERROR, Stage.EAGER, "nondeterministic")


def test_an_eager_run_without_any_element_is_no_reference(toy: Keep) -> None:
    class Hollow(Toy):
        def forward(self, x: np.ndarray) -> np.ndarray:
            return x[:0]

    assert told(run(toy(Hollow))) == (Outcome.ERROR, Stage.EAGER, "no-output")


def test_a_failing_capture_is_theirs_and_keeps_its_traceback(toy: Keep) -> None:
    class Breaks(Toy):
        def capture(self, dynamic: bool) -> None:
            raise KeyError("no such guard")

    result = run(toy(Breaks))
    assert told(result) == (Outcome.FAIL, Stage.CAPTURE, None)
    assert "no such guard" in (result.traceback or "")


def test_a_class_the_zoo_does_not_have_is_our_error() -> None:
    assert told(run("Nothing")) == (Outcome.ERROR, Stage.BUILD, None)


def test_a_runtime_that_lacks_a_kernel_fails_with_its_own_words() -> None:
    result = run("Passes", backend=Limited())
    assert told(result) == (Outcome.FAIL, Stage.INFER, "runtime-limit")
    assert "0x14 missing aten::toy.out" in (result.reason or "")


def test_a_plan_over_the_limit_is_told_with_the_numbers_of_a_bounded_one() -> None:
    result = run("Passes", "forward-dynamic", Greedy())
    assert told(result) == (Outcome.FAIL, Stage.LOAD, "memory-plan")
    (part,) = result.components
    assert part.planned_bytes == 5000
    assert part.outputs
    assert "bounded to 64" in part.notes[-1]


def test_a_missing_backend_skips_with_the_line_that_installs_it() -> None:
    result = run("Passes", backend=AbsentBackend())
    assert result.outcome is Outcome.SKIP
    assert "pip install no-such-package" in (result.reason or "")
