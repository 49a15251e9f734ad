"""Charts: lines over runs. A script draws them; the table beside each says the same to all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from runner.core.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; None where a run says nothing of it."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines over the same runs, oldest first."""

    id: str
    title: str
    unit: str
    at: tuple[datetime, ...]
    #: what each moment is called
    names: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def data(self) -> str:
        """For the script, as an attribute."""
        told = {
            "unit": self.unit,
            "at": [moment.timestamp() for moment in self.at],
            "names": self.names,
            "lines": self.lines,
        }
        return orjson.dumps(told).decode()


def over_runs(
    runs: Sequence[Run], lines: Iterable[Line], *, id: str, title: str, unit: str
) -> Chart:
    """The chart of lines that have a value for each of these runs."""
    return Chart(
        id=id,
        title=title,
        unit=unit,
        at=tuple(run.started_at for run in runs),
        names=tuple(f"run {run.id}, {run.revision}" for run in runs),
        lines=tuple(lines),
    )


def spark(
    values: Sequence[float | None],
    *,
    width: int = 120,
    height: int = 24,
    margin: int = 2,
    low: float | None = None,
) -> str:
    """The points of a sparkline's polyline, from the lowest to the highest of the values.

    `low` is what lies at the bottom instead of the lowest value.
    """
    known = [value for value in values if value is not None]
    low = min(known, default=0.0) if low is None else low
    across = (width - 2 * margin) / max(len(values) - 1, 1)
    span, tall = (max(known, default=0.0) - low) or 1.0, height - 2 * margin
    points = (
        f"{margin + number * across:.1f},{height - margin - (value - low) / span * tall:.1f}"
        for number, value in enumerate(values)
        if value is not None
    )
    return " ".join(points)
