"""The search for less: a failure as a run made it, then as few words as it still takes.

1. *Begin*: the cell must fail here with the failure's signature; then the same from its
   configuration alone, with plain weights and inputs.
2. *Shrink* (`runner.core.shrink`), within a budget of seconds; each trial in a child of its own.
"""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from harness.cells import Cell, Variant
from harness.errors import MatrixError, SelectionError
from harness.isolation.messages import Limits
from harness.reproduce.runtimes import BACKENDS
from harness.reproduce.subject import Subject
from harness.results import Outcome, Result, Stage
from runner.core.label import label
from runner.core.owner import WITNESS, Owner
from runner.core.shrink import Step, shrunk
from runner.execute.trials import Trials
from runner.revisions import Revision

_OWN_SIZES = "the sizes of the case"
_AS_IT_IS = """\
def case():
    from harness.zoo.base import load_zoo

    case = load_zoo({zoo!r}).build({model_type!r}, {model_class!r})
    made = (case.model, case.inputs, case.resized)
    return made if case.resized else made[:2]
"""
#: stages that dynamo has as well, and comes to sooner
_WITNESSED = (Stage.CAPTURE, Stage.COMPARE, Stage.RESIZE)
_LIMITS = (Outcome.TIMEOUT, Outcome.OOM)

OnStep = Callable[[Step], None]


class _BudgetSpent(Exception):  # noqa: N818  (it ends a search, and is no error)
    """There is no time left for another trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The failure to reproduce."""

    cell: Cell
    #: dotted path of the zoo that makes its case
    zoo: str
    #: None: whatever the cell shows
    signature: str | None = None
    #: the stage that it is known to stop at
    stage: Stage | None = None
    #: whose it is, where other cells decide it
    owner: Owner | None = None
    #: cells that fail alike, by model type
    shared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where trials are made, and what they may take."""

    revision: Revision
    limits: Limits
    #: seconds that the search may take, once the failure was seen
    budget_s: float
    memory_mib: int


class Search:
    """The trials of one failure."""

    def __init__(self, wanted: Wanted, place: Place, trials: Trials, on_step: OnStep) -> None:
        self.wanted, self.place = wanted, place
        self._trials, self._on_step = trials, on_step
        self.steps: list[Step] = []
        self._known: dict[str, Result] = {}
        # To begin with is no matter of the budget.
        self._limits, self._until = place.limits, math.inf
        self.shown = self._begin()
        self.component = _component(self.shown)
        self.described = trials.describe(wanted.cell, wanted.zoo, self.component, place.limits)
        self.shown = self.signed(self.shown)
        self._refuse_plan()
        self.stage = self.shown.stage or Stage.BUILD

    def _refuse_plan(self) -> None:
        if self.shown.kind == "memory-plan":
            raise MatrixError(
                f"{self.wanted.cell.id} {self.shown.reason}; what is smaller plans less, so its "
                f"whole script shows it: export-matrix reproduce {self.wanted.cell.id}"
            )

    def _begin(self) -> Result:
        cell = self.wanted.cell
        if cell.backend not in BACKENDS:
            raise SelectionError(
                f"no script can be written for backend {cell.backend!r}, only {', '.join(BACKENDS)}"
            )
        text = _AS_IT_IS.format(
            zoo=self.wanted.zoo, model_type=cell.model_type, model_class=cell.model_class
        )
        found = self._trials.attempt(text, cell.variant, cell.backend, self._limits)
        if found.outcome in (Outcome.PASS, Outcome.SKIP, Outcome.ERROR, *_LIMITS):
            why = f": {found.reason}" if found.reason else ""
            raise MatrixError(
                f"{cell.id} is no failure to reproduce here, but a {found.outcome}{why}"
            )
        return found

    def signed(self, found: Result) -> Result:
        """A trial's result as one of the cell's: its other sizes by their own name."""
        label_of_sizes = self.described.subject.other_label
        parts = tuple(
            replace(part, reason=_in_sizes(part.reason, label_of_sizes))
            for part in found.components
        )
        reason = _in_sizes(found.reason, label_of_sizes)
        return label(found.replace(cell=self.wanted.cell, reason=reason, components=parts))

    @property
    def signature(self) -> str:
        return self.wanted.signature or self.shown.signature or ""

    def run(self) -> tuple[Subject, Result]:
        """The smallest subject, and what its trial showed.

        `MatrixError` if the cell fails otherwise here, or only as the zoo makes it.
        """
        if self.shown.signature != self.signature:
            raise MatrixError(
                f"{self.wanted.cell.id} fails here with another signature: {self.shown.title}"
            )
        took = self.shown.duration_s
        time_s = min(self.place.limits.time_s, 3 * took + 20)
        self._limits = Limits(time_s=time_s, memory_bytes=self.place.limits.memory_bytes)
        smallest = self._start()
        self._until = time.monotonic() + self.place.budget_s

        def holds(what: str, candidate: Subject) -> bool:
            nonlocal smallest
            held = self._holds(what, candidate)
            smallest = candidate if held else smallest
            return held

        with suppress(_BudgetSpent):
            # What is compared is the outputs of the whole: a part has others.
            parts = () if self.stage in (Stage.COMPARE, Stage.RESIZE) else self.described.parts
            shrunk(smallest, parts, self.shown.traceback or "", holds)
        return smallest, self._known[_text(smallest)]

    def _start(self) -> Subject:
        given = self.described.subject
        if self.stage is not Stage.RESIZE:
            given = replace(given, other=None)
        others = [given, replace(given, noisy=True)]
        if self.stage in _WITNESSED and given.backend != WITNESS:
            others.insert(0, replace(given, backend=WITNESS))
        for each in others:
            weights = "noisy" if each.noisy else "plain"
            if self._holds(f"{each.backend}, {weights} weights and inputs", each):
                return each
        raise MatrixError(
            f"{self.wanted.cell.id} fails like that only with the weights and inputs of the zoo; "
            f"its whole script: export-matrix reproduce {self.wanted.cell.id}"
        )

    def _holds(self, what: str, candidate: Subject) -> bool:
        text = _text(candidate)
        if text not in self._known:
            if time.monotonic() > self._until:
                raise _BudgetSpent
            started = time.monotonic()
            variant = Variant.FORWARD_DYNAMIC if candidate.dynamic else Variant.FORWARD_STATIC
            found = self._trials.attempt(
                candidate.case_file(), variant, candidate.backend, self._limits
            )
            self._known[text] = self.signed(found)
            held = self._alike(self._known[text])
            step = Step(what=what, held=held, seconds=round(time.monotonic() - started, 2))
            self.steps.append(step)
            self._on_step(step)
        return self._alike(self._known[text])

    def _alike(self, found: Result) -> bool:
        return found.signature == self.signature and same_outputs(found, self.shown)


def same_outputs(one: Result, other: Result) -> bool:
    """Whether an output that is wrong in one is wrong in the other, where outputs are.

    A signature of values that differ doesn't tell which.
    """
    first, second = _wrong(one), _wrong(other)
    return first == second or bool(first & second)


def _wrong(found: Result) -> set[str]:
    return {each.name for part in found.components for each in part.outputs if each.problem}


def _text(subject: Subject) -> str:
    return f"{subject.backend} {subject.dynamic}\n{subject.case_file()}"


def _in_sizes(reason: str | None, label_of_sizes: str) -> str | None:
    return reason and reason.replace(_OWN_SIZES, label_of_sizes)


def _component(found: Result) -> str | None:
    """The component that a result is about, if it has several."""
    if len(found.components) < 2:
        return None
    reason = found.reason or ""
    told = (each.name for each in found.components if reason == f"{each.name}: {each.reason}")
    return next(told, None)
