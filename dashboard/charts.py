"""Charts: lines over runs. A script draws them; the table beside each says the same to all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson


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


def spark(values: Sequence[float | None], *, width: int = 120, height: int = 24) -> str:
    """The points of a sparkline's polyline, from the lowest to the highest of the values."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    across = (width - 4) / max(len(values) - 1, 1)
    span = (high - low) or 1.0
    points = (
        f"{2 + number * across:.1f},{height - 2 - (value - low) / span * (height - 4):.1f}"
        for number, value in enumerate(values)
        if value is not None
    )
    return " ".join(points)
