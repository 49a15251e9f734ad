"""What stands behind the first error of a cell, by a draft export that went on. Pure.

- Each value that a draft had to be given is a failure of its own at `capture`: it is signed as the
  attempt's would be that stopped there.
- If the draft came to a program, the attempt went on with it: what then failed, at a later stage,
  stands behind as well; or nothing does.
- If the draft itself gave up, it says nothing of what would come next; nor does its program where
  it asserts the values that it was drafted with, or is run with other sizes.
- Fake kernels that are missing or wrong are told, and keep no cell from passing by themselves.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from harness.cells import Cell
from harness.drafting import NEEDED, Noted
from harness.results import Outcome, Result, Stage
from runner.core.label import label

_SYMBOL = re.compile(r"\w+")
_BEHIND = (Stage.LOWER, Stage.LOAD, Stage.INFER, Stage.COMPARE)
_ASSERTED = "Runtime assertion failed"
_GUARD = "torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode: Could not "


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """One failure that a cell has, and the group it is of."""

    signature: str
    title: str
    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a draft export told of a cell."""

    cell: Cell
    #: what the cell failed with when it was run
    first: str
    #: failures in the order in which they came, the first one among them
    failures: tuple[Behind, ...]
    #: fake kernels that are missing or wrong
    kernels: tuple[str, ...] = ()
    #: why it could not go on to the end, if it could not
    stopped: str | None = None

    @property
    def reasons(self) -> frozenset[str]:
        """The groups that keep the cell from passing, as far as the draft came."""
        return frozenset({self.first, *(each.signature for each in self.failures)})

    def to_record(self) -> dict[str, Any]:
        return {**asdict(self), "cell": self.cell.id}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        failures = tuple(
            Behind(**{**each, "stage": Stage(each["stage"])}) for each in record["failures"]
        )
        known = {"cell": Cell.parse(record["cell"]), "failures": failures}
        return cls(**{**record, **known, "kernels": tuple(record["kernels"])})


def drafted(cell: Cell, first: str, noted: Sequence[Noted], ended: Result) -> Draft:
    """The draft of a cell from what was noted, and from what the attempt came to behind it."""
    needed = [label(_result(cell, each)) for each in noted if each.what == NEEDED]
    signed = [_behind(each) for each in needed]
    stopped = None
    if ended.outcome is Outcome.FAIL and _tells(ended):
        signed.append(_behind(label(ended.replace(cell=cell))))
    elif ended.outcome is not Outcome.PASS:
        stopped = f"{ended.outcome} at {ended.stage}: {ended.reason}"
    kernels = [f"{each.about}: {each.what}" for each in noted if each.what != NEEDED]
    return Draft(
        cell=cell,
        first=first,
        failures=tuple({each.signature: each for each in reversed(signed)}.values())[::-1],
        kernels=tuple(dict.fromkeys(kernels)),
        stopped=stopped,
    )


def _tells(ended: Result) -> bool:
    """Whether a failure behind a draft is one that an ordinary program would have."""
    own = _ASSERTED in (ended.reason or "")
    return ended.stage in _BEHIND and not own


def _behind(found: Result) -> Behind:
    return Behind(
        signature=found.signature or "",
        title=found.title or "",
        stage=found.stage or Stage.CAPTURE,
    )


def _result(cell: Cell, noted: Noted) -> Result:
    """What an attempt would have told that stopped there."""
    do = "extract specialized integer from" if _SYMBOL.fullmatch(noted.about) else "guard on"
    said = f"Could not {do} data-dependent expression {noted.about} (unhinted: {noted.about})."
    trace = ["Traceback (most recent call last):"]
    for each in noted.lines:
        trace += [f'  File "{each.path}", line {each.line}, in {each.function}']
        trace += [f"    {each.source}"] if each.source else []
    trace.append(f"{_GUARD.removesuffix('Could not ')}{said}")
    return Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=Stage.CAPTURE,
        reason=f"GuardOnDataDependentSymNode: {said}",
        traceback="\n".join(trace),
    )
