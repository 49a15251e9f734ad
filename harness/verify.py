"""Compares what an exported program gave with what eager gave, value by value.

Rules, stricter than the exporters' own tests (which let 5 % of the elements differ):
- every output is compared, by name; an output too many or too few is a problem of its own;
- shapes and dtypes are equal; NaN and infinities stand at the same places;
- an element is equal when |actual - expected| <= atol + rtol * |expected|, the rule of
  `torch.testing.assert_close`, with the tolerances of its dtype; integers and bools are exact;
- but indices that are the top-k of another output, and whose scores there are equal within
  tolerance, are a tie, which is no problem and is counted;
- outputs that are all there but hold no element at all prove nothing, and two empty sets of outputs
  are not equal but a problem.
"""

import dataclasses
from typing import Any

from harness.results import OutputDifference
from harness.zoo.base import Array, Outputs

#: dtype -> (atol, rtol). float32: two orders above what reordered sums of a tiny model give, as in
#: the exporters' own tests; half precisions: a few units in their last place.
TOLERANCES = {
    "float64": (1e-7, 1e-7),
    "float32": (1e-4, 1e-4),
    "complex64": (1e-4, 1e-4),
    "float16": (5e-3, 5e-3),
    "bfloat16": (4e-2, 4e-2),
}
_EXACT = (0.0, 0.0)


def compare(
    expected: Outputs, actual: Outputs, *, sizes: str = "traced"
) -> tuple[OutputDifference, ...]:
    """How each output differs; `sizes` says which sizes it ran with."""
    if not any(array.values.size for array in expected.values()):
        return (OutputDifference(name="", sizes=sizes, problem="missing"),)
    names = [*expected, *(name for name in actual if name not in expected)]
    found = [_output(name, expected.get(name), actual.get(name), sizes) for name in names]
    return tuple(_forgiven(each, expected, actual) for each in found)


def _output(
    name: str, expected: Array | None, actual: Array | None, sizes: str
) -> OutputDifference:
    if expected is None or actual is None:
        known = expected or actual
        assert known is not None  # noqa: S101  (the name came from one of them)
        problem = "unexpected" if expected is None else "missing"
        return _difference(name, known, sizes, problem=problem)
    if expected.values.shape != actual.values.shape:
        return _difference(name, actual, sizes, problem="shape", expected_shape=_shape(expected))
    if expected.dtype != actual.dtype:
        return _difference(name, actual, sizes, problem="dtype", expected_dtype=expected.dtype)
    return _values(name, expected, actual, sizes)


def _difference(name: str, array: Array, sizes: str, **found: Any) -> OutputDifference:  # noqa: ANN401  (fields)
    atol, rtol = TOLERANCES.get(array.dtype, _EXACT)
    return OutputDifference(
        name=name,
        sizes=sizes,
        shape=_shape(array),
        dtype=array.dtype,
        elements=int(array.values.size),
        atol=atol,
        rtol=rtol,
        **found,
    )


def _shape(array: Array) -> tuple[int, ...]:
    return tuple(int(size) for size in array.values.shape)


def _values(name: str, expected: Array, actual: Array, sizes: str) -> OutputDifference:
    import numpy as np  # noqa: PLC0415  (the harness imports no numpy at import)

    atol, rtol = TOLERANCES.get(expected.dtype, _EXACT)
    wide = np.complex128 if np.iscomplexobj(expected.values) else np.float64
    want, have = expected.values.astype(wide), actual.values.astype(wide)
    finite = np.isfinite(want) & np.isfinite(have)
    same_nonfinite = (np.isnan(want) & np.isnan(have)) | (want == have)
    nonfinite = int((~finite & ~same_nonfinite).sum())
    difference = np.abs(have[finite] - want[finite])
    magnitude = np.abs(want[finite])
    beyond = int((difference > atol + rtol * magnitude).sum())
    relative = difference[magnitude > 0] / magnitude[magnitude > 0]
    return _difference(
        name,
        actual,
        sizes,
        max_abs_diff=float(difference.max()) if difference.size else None,
        max_rel_diff=float(relative.max()) if relative.size else None,
        mismatched=beyond + nonfinite,
        problem="nonfinite" if nonfinite else "values" if beyond else None,
        **({} if nonfinite else _top1(name, want, have, (atol, rtol))),
    )


def _top1(name: str, want: Any, have: Any, tolerance: tuple[float, float]) -> dict[str, Any]:  # noqa: ANN401  (numpy arrays)
    """Whether logits name the same winner at each position."""
    if not name.endswith("logits") or want.ndim < 2 or want.shape[-1] < 2:
        return {}
    winners, others = want.argmax(-1), have.argmax(-1)
    tied = (winners != others) & _as_good(want, winners[..., None], others[..., None], tolerance)
    agreement = float(((winners == others) | tied).mean())
    return {"top1_agreement": agreement, "ties": int(tied.sum())}


def _as_good(scores: Any, one: Any, other: Any, tolerance: tuple[float, float]) -> Any:  # noqa: ANN401  (numpy arrays)
    """Whether all entries that are chosen along the last axis score the same within tolerance."""
    import numpy as np  # noqa: PLC0415  (the harness imports no numpy at import)

    first = np.take_along_axis(scores, one, axis=-1)
    second = np.take_along_axis(scores, other, axis=-1)
    atol, rtol = tolerance
    return np.isclose(second, first, atol=atol, rtol=rtol).all(axis=-1)


def _forgiven(found: OutputDifference, expected: Outputs, actual: Outputs) -> OutputDifference:
    """Indices that differ, but only among entries that tie in the output they are the top-k of."""
    if found.problem != "values" or TOLERANCES.get(found.dtype or "") or found.dtype == "bool":
        return found
    want, have = expected[found.name].values, actual[found.name].values
    for scores in expected.values():
        if scores.dtype in TOLERANCES and _chosen_among_ties(scores, want, have):
            return dataclasses.replace(found, problem=None, mismatched=0, ties=found.mismatched)
    return found


def _chosen_among_ties(scores: Array, want: Any, have: Any) -> bool:  # noqa: ANN401  (numpy arrays)
    import numpy as np  # noqa: PLC0415  (the harness imports no numpy at import)

    values = scores.values
    if values.ndim == want.ndim + 1:
        want, have = want[..., None], have[..., None]
    if values.ndim != want.ndim or values.shape[:-1] != want.shape[:-1] or not want.size:
        return False
    if min(want.min(), have.min()) < 0 or max(want.max(), have.max()) >= values.shape[-1]:
        return False
    best = np.sort(values, axis=-1)[..., -want.shape[-1] :]
    if not np.array_equal(best, np.sort(np.take_along_axis(values, want, axis=-1), axis=-1)):
        return False
    return bool(_as_good(values, want, have, TOLERANCES[scores.dtype]).all())


_OF_VALUES = ("values", "nonfinite")


def problems(outputs: tuple[OutputDifference, ...]) -> list[str]:
    """One line per output that is not equal; a wrong shape says more than wrong values."""
    found = [output for output in outputs if output.problem is not None]
    return [_line(output) for output in sorted(found, key=lambda each: each.problem in _OF_VALUES)]


def _line(output: OutputDifference) -> str:
    where = "" if output.sizes == "traced" else f" with {output.sizes}"
    named = f"output {output.name!r}: {output.problem}"
    if output.problem == "shape":
        return f"{named} {output.shape}, eager gives {output.expected_shape}{where}"
    if output.problem == "dtype":
        return f"{named} {output.dtype}, eager gives {output.expected_dtype}{where}"
    if output.problem not in _OF_VALUES:
        return f"{named}{where}"
    worst = "" if output.max_abs_diff is None else f", largest difference {output.max_abs_diff:.3g}"
    return (
        f"output {output.name!r}: {output.mismatched} of {output.elements} elements "
        f"beyond tolerance{worst}{where}"
    )
