"""Whether eager's outputs are a reference. One that moves by itself proves nothing.

- Before anything is exported: there are elements, a second run gives the same bits, none is NaN.
- Once values differ: eager is run again after changes that mean nothing, other random numbers and
  weights that are off by a rounding error. Where it then moves about as far as the program is off,
  the case can't tell whether the program is wrong, and that is ours (`random`, `ill-conditioned`).
  It takes every wrong output to be explained: one that isn't is the program's.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.results import OutputDifference
from harness.verify import compare
from harness.zoo.base import Outputs

#: a program rounds at every operation, a changed weight only once
_ROUNDINGS = 10.0
_TOLD = {
    "random": "when it draws other random numbers",
    "ill-conditioned": "when weights are off by a rounding error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why outputs of eager are no reference."""

    kind: str
    reason: str


def unfit(expected: Outputs, again: Outputs) -> Doubt | None:
    """What keeps two eager runs from being a reference."""
    if not any(array.values.size for array in expected.values()):
        return Doubt(kind="no-output", reason="eager gives no element to compare")
    if any(output.problem or output.max_abs_diff for output in compare(expected, again)):
        return Doubt(kind="nondeterministic", reason="two eager runs differ")
    bad = [name for name, array in expected.items() if not _finite(array.values)]
    if bad:
        return Doubt(kind="nonfinite", reason=f"eager output {bad[0]!r} is not finite")
    return None


def undecided(
    found: tuple[OutputDifference, ...], expected: Outputs, moved: Mapping[str, Outputs]
) -> Doubt | None:
    """What explains every problem of the outputs found, without the program being wrong.

    `moved` holds eager's outputs by the kind of change that means nothing.
    """
    wrong = {output.name: output for output in found if output.problem}
    if any(output.problem != "values" for output in wrong.values()):
        return None
    for kind, outputs in moved.items():
        moves = {each.name: each for each in compare(expected, outputs)}
        if all(_explains(moves[name], output) for name, output in wrong.items()):
            name, output = max(wrong.items(), key=lambda pair: pair[1].max_abs_diff or 0)
            return Doubt(
                kind=kind,
                reason=f"eager's own output {name!r} moves by {moves[name].max_abs_diff:.3g} "
                f"{_TOLD[kind]}, so a difference of {output.max_abs_diff:.3g} tells nothing",
            )
    return None


def _explains(move: OutputDifference, wrong: OutputDifference) -> bool:
    if move.problem not in (None, "values") or move.max_abs_diff is None:
        return False
    return _ROUNDINGS * move.max_abs_diff >= (wrong.max_abs_diff or 0) > 0


def _finite(values: object) -> bool:
    import numpy as np  # noqa: PLC0415  (the harness imports no numpy at import)

    numbers = np.asarray(values)
    # Masks hold -inf on purpose; a NaN is never meant.
    return numbers.dtype.kind not in "fc" or not np.isnan(numbers).any()
