"""One attempt at a cell: the stages in order, for every component.

- A component stops at the first stage that fails; the other components still run. The cell's
  outcome is its worst component's, and of those the one that stopped earliest.
- Failing to build or to run eagerly is ours (`error`); everything after that is theirs (`fail`).
- Eager runs twice, and again where values differ; `harness.reference` says if it is a reference.
- With dynamic shapes the program runs again with other sizes than it was traced with. What eager
  accepts and the program refuses, or answers with another shape, is `specialized-shape`.
- A program whose memory plan is over the limit is not loaded (`memory-plan`); it is exported a
  second time with bounded dimensions, so that its numbers are still known. Both facts are told.
"""

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.backends.base import Backend, Enter, Program, Runtime
from harness.cells import Cell
from harness.clock import Clock
from harness.errors import CaseError, RuntimeLimit, SkipError
from harness.reference import undecided, unfit
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from harness.verify import compare, problems
from harness.zoo.base import Case, Component, Inputs, Outputs, Zoo
from harness.zoo.shapes import ALL_AUTOMATIC, NOTHING_GIVEN, GivenShapes

PLAN_LIMIT_BYTES = 2 * 2**30
BOUND = 64
# Transformers decomposes `generate` into components, and (until 5.23) can't drive it through them.
_ONE_BY_ONE = "a component's values are compared; no tokens are generated through the components"

_REASON_CHARACTERS = 500


class _Failed(Exception):  # noqa: N818  (it says where a component stopped, and is not shown)
    """A component stopped: what came of it, as far as it came."""

    def __init__(self, outcome: Outcome, kind: str | None, reason: str) -> None:
        super().__init__(reason)
        self.outcome, self.kind, self.reason = outcome, kind, reason


@dataclass(slots=True)
class _Findings:
    """What is known of a component so far."""

    program: Program | None = None
    outputs: tuple[OutputDifference, ...] = ()
    notes: tuple[str, ...] = ()


def attempt(  # noqa: PLR0913  (what an attempt needs, by name)
    cell: Cell,
    *,
    zoo: Zoo,
    backend: Backend,
    enter: Enter = lambda stage: None,
    plan_limit_bytes: int = PLAN_LIMIT_BYTES,
    shapes: GivenShapes = ALL_AUTOMATIC,
) -> Result:
    """Run the cell once in this process; never raises for what models and exporters do.

    `shapes` are a user's own, for cells with dynamic shapes.
    """
    missing = backend.missing()
    if missing is not None:
        reason = f"{cell.backend} is not installed here: {missing}"
        return Result(cell=cell, outcome=Outcome.SKIP, reason=reason, provider=zoo.name)
    clock = Clock(enter)
    trial = _Trial(cell, zoo, backend, clock, plan_limit_bytes)
    clock.enter(Stage.BUILD)
    try:
        case = _built(cell, zoo, shapes)
        parts = list(zoo.components(case, cell.variant))
    except SkipError as error:
        return Result(cell=cell, outcome=Outcome.SKIP, reason=str(error), provider=zoo.name)
    except Exception as error:  # noqa: BLE001  (whatever a model raises is a result, not our end)
        return _ours(cell, zoo, clock, error)
    done = [trial.component(part) for part in parts]
    result = _whole(cell, [found for found, _ in done], [trace for _, trace in done])
    return result.replace(durations_s=clock.stop(), provider=zoo.name, recipe=dict(case.recipe))


def _built(cell: Cell, zoo: Zoo, shapes: GivenShapes) -> Case:
    given = NOTHING_GIVEN
    if cell.variant.dynamic:
        given = shapes.for_class(cell.model_type, cell.model_class)
    return zoo.build(cell.model_type, cell.model_class, given)


def _ours(cell: Cell, zoo: Zoo, clock: Clock, error: Exception) -> Result:
    return Result(
        cell=cell,
        outcome=Outcome.ERROR,
        stage=clock.stage,
        reason=_reason(error),
        traceback=_traceback(error),
        durations_s=clock.stop(),
        provider=zoo.name,
    )


def _whole(cell: Cell, found: Sequence[ComponentResult], traces: Sequence[str | None]) -> Result:
    """The cell's result: its worst component's, and of those the one that stopped earliest."""
    if not found:
        reason = "the case has no component to export"
        return Result(cell=cell, outcome=Outcome.ERROR, stage=Stage.BUILD, reason=reason)
    worst = min(range(len(found)), key=lambda index: _rank(found[index]))
    part = found[worst]
    named = part.reason if len(found) == 1 or part.reason is None else f"{part.name}: {part.reason}"
    return Result(
        cell=cell,
        outcome=part.outcome,
        stage=part.stage,
        kind=part.kind,
        reason=named,
        components=tuple(found),
        traceback=traces[worst],
    )


def _rank(part: ComponentResult) -> tuple[int, int]:
    """Theirs before ours before a pass; then by stage."""
    order = (Outcome.FAIL, Outcome.ERROR, Outcome.PASS)
    return order.index(part.outcome), part.stage.order if part.stage else 0


@dataclass(frozen=True, slots=True)
class _Trial:
    """What the components of one attempt share."""

    cell: Cell
    zoo: Zoo
    backend: Backend
    clock: Clock
    plan_limit_bytes: int

    def component(self, part: Component) -> tuple[ComponentResult, str | None]:
        """One component through its stages, and the traceback of what stopped it."""
        found = _Findings(notes=tuple(_notes(self.cell, part)))
        try:
            self._stages(part, found)
        except _Failed as failed:
            trace = _traceback(failed.__cause__) if failed.__cause__ else None
            return self._result(part, found, failed), trace
        except Exception as error:  # noqa: BLE001  (whatever an exporter raises is a result)
            ours = self.clock.stage in (Stage.BUILD, Stage.EAGER)
            raised = _Failed(Outcome.ERROR if ours else Outcome.FAIL, None, _reason(error))
            return self._result(part, found, raised), _traceback(error)
        return self._result(part, found, None), None

    def _result(self, part: Component, found: _Findings, failed: _Failed | None) -> ComponentResult:
        program = found.program
        return ComponentResult(
            name=part.name,
            outcome=failed.outcome if failed else Outcome.PASS,
            stage=self.clock.stage if failed else None,
            kind=failed.kind if failed else None,
            reason=failed.reason if failed else None,
            outputs=found.outputs,
            planned_bytes=program.planned_bytes if program else None,
            program_bytes=program.program_bytes if program else None,
            graph_nodes=program.graph_nodes if program else None,
            digest=program.digest if program else None,
            patches=program.patches if program else (),
            notes=found.notes,
        )

    def _stages(self, part: Component, found: _Findings) -> None:
        self.clock.enter(Stage.EAGER)
        expected = self._reference(part)
        found.program = self._export(part)
        self.clock.enter(Stage.LOAD)
        over = (found.program.planned_bytes or 0) > self.plan_limit_bytes
        if over:
            self._second_look(part, expected, found)
        runtime = self._load(found.program)
        self._verify(part, expected, runtime, found)

    def _reference(self, part: Component) -> Outputs:
        expected, again = (self.zoo.eager(part, part.inputs) for _ in range(2))
        if doubt := unfit(expected, again):
            raise _Failed(Outcome.ERROR, doubt.kind, doubt.reason)
        return expected

    def _export(self, part: Component, *, bound: int | None = None) -> Program:
        dynamic = self.cell.variant.dynamic
        return self.backend.export(part, dynamic=dynamic, bound=bound, enter=self.clock.enter)

    def _second_look(self, part: Component, expected: Outputs, found: _Findings) -> None:
        """Tell the memory plan as the failure it is, with the numbers of a bounded program."""
        assert found.program is not None  # noqa: S101  (exported just above)
        planned = found.program.planned_bytes or 0
        limit = self.plan_limit_bytes
        reason = f"plans {planned / 2**30:.2f} GiB of memory, over the limit of {limit / 2**30:.2f}"
        bounded = _Findings()
        try:
            bounded.program = self._export(part, bound=BOUND)
            self.clock.enter(Stage.LOAD)
            self._verify(part, expected, self._load(bounded.program), bounded)
            verdict = f"verified with dimensions bounded to {BOUND}"
        except Exception as error:  # noqa: BLE001  (a note about the second look, not its end)
            verdict = f"not verified with dimensions bounded to {BOUND} either: {_reason(error)}"
        plan = bounded.program and bounded.program.planned_bytes
        found.outputs = bounded.outputs
        found.notes = (*found.notes, *bounded.notes, f"{verdict}, where it plans {plan} bytes")
        self.clock.enter(Stage.LOAD)
        raise _Failed(Outcome.FAIL, "memory-plan", f"{reason}; {verdict}")

    def _load(self, program: Program) -> Runtime:
        with _limits():
            return self.backend.load(program)

    def _verify(
        self, part: Component, expected: Outputs, runtime: Runtime, found: _Findings
    ) -> None:
        self.clock.enter(Stage.INFER)
        with _limits():
            actual = runtime(part.inputs)
        self.clock.enter(Stage.COMPARE)
        found.outputs = compare(expected, actual)
        self._equal(part, part.inputs, expected, found.outputs)
        if not self.cell.variant.dynamic:
            return
        if part.resized is None:
            found.notes = (*found.notes, f"not run with other sizes: {part.unvaried}")
            return
        self._resize(part, runtime, found)

    def _resize(self, part: Component, runtime: Runtime, found: _Findings) -> None:
        assert part.resized is not None  # noqa: S101  (asked just above)
        self.clock.enter(Stage.EAGER)
        try:
            expected = self.zoo.eager(part, part.resized)
        except Exception as error:
            reason = f"eager refuses other sizes ({part.resized_label}): {_reason(error)}"
            raise _Failed(Outcome.ERROR, None, reason) from error
        self.clock.enter(Stage.RESIZE)
        try:
            actual = runtime(part.resized)
        except Exception as error:  # whatever stands in its way: eager can, the program can't
            reason = f"refuses other sizes ({part.resized_label}): {_reason(error)}"
            raise _Failed(Outcome.FAIL, "specialized-shape", reason) from error
        outputs = compare(expected, actual, sizes=part.resized_label or "resized")
        found.outputs = (*found.outputs, *outputs)
        self._equal(part, part.resized, expected, outputs)

    def _equal(
        self,
        part: Component,
        inputs: Inputs,
        expected: Outputs,
        outputs: tuple[OutputDifference, ...],
    ) -> None:
        found = problems(outputs)
        if not found:
            return
        if doubt := undecided(outputs, expected, self.zoo.moved(part, inputs)):
            raise _Failed(Outcome.ERROR, doubt.kind, doubt.reason)
        shaped = any(output.problem == "shape" for output in outputs)
        fixed = self.clock.stage is Stage.RESIZE and shaped
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise _Failed(Outcome.FAIL, "specialized-shape" if fixed else "mismatch", found[0] + more)


def _notes(cell: Cell, part: Component) -> Iterator[str]:
    """What a reader should know before anything has run."""
    if cell.variant.generates:
        yield _ONE_BY_ONE
    if part.given:
        yield f"dynamic shapes as given: {part.given.told}"


@contextmanager
def _limits() -> Iterator[None]:
    try:
        yield
    except RuntimeLimit as error:
        raise _Failed(Outcome.FAIL, "runtime-limit", _reason(error)) from error


def _reason(error: BaseException) -> str:
    """The error in one line."""
    text = str(error).strip().splitlines() or [""]
    name = "" if isinstance(error, CaseError | RuntimeLimit) else f"{type(error).__name__}: "
    return f"{name}{text[0]}"[:_REASON_CHARACTERS]


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
