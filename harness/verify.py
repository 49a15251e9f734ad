"""Compares what an exported program gave with what eager gave, value by value.

Rules, stricter than the exporters' own tests (which let 5 % of the elements differ):
- every output is compared, by name; an output too many or too few is a problem of its own;
- shapes and dtypes are equal; NaN and infinities stand at the same places;
- an element is equal when |actual - expected| <= atol + rtol * |expected|, the rule of
  `torch.testing.assert_close`, with the tolerances of its dtype; integers and bools are exact;
- outputs that are all there but hold no element at all prove nothing, and two empty sets of outputs
  are not equal but a problem.
"""

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
    return tuple(_output(name, expected.get(name), actual.get(name), sizes) for name in names)


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
    )


def problems(outputs: tuple[OutputDifference, ...]) -> list[str]:
    """One line per output that is not equal."""
    return [_line(output) for output in outputs if output.problem is not None]


def _line(output: OutputDifference) -> str:
    where = "" if output.sizes == "traced" else f" with {output.sizes}"
    named = f"output {output.name!r}: {output.problem}"
    if output.problem == "shape":
        return f"{named} {output.shape}, eager gives {output.expected_shape}{where}"
    if output.problem == "dtype":
        return f"{named} {output.dtype}, eager gives {output.expected_dtype}{where}"
    if output.problem not in ("values", "nonfinite"):
        return f"{named}{where}"
    worst = "" if output.max_abs_diff is None else f", largest difference {output.max_abs_diff:.3g}"
    return (
        f"output {output.name!r}: {output.mismatched} of {output.elements} elements "
        f"beyond tolerance{worst}{where}"
    )
