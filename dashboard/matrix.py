"""The matrix view: model types, or their classes, by backend and variant.

A square of several cells shows the worst of them and how many pass, of those that could run.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboard.words import WORST_FIRST
from harness.cells import Cell, Variant
from runner.core.runs import CellVerdict, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A backend exporting one variant."""

    backend: str
    variant: Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """The cells of a row in a column."""

    verdict: Verdict
    counts: Mapping[Verdict, int]
    cells: int
    #: cells that pass, of those that were not skipped
    passed: int
    ran: int
    #: what failed, for a reader who hovers or listens
    title: str
    #: the only cell, where there is only one
    cell: Cell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model type, or a model class of one."""

    model_type: str
    model_class: str | None
    #: one per column; None where nothing was meant to run
    squares: tuple[Square | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Rows and columns, and how many cells there are."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    cells: int

    @property
    def backends(self) -> list[tuple[str, int]]:
        """(backend, its columns), for the upper header."""
        return list(Counter(column.backend for column in self.columns).items())


def by_type(verdicts: Sequence[CellVerdict]) -> Matrix:
    """One row per model type."""
    return _matrix(verdicts, lambda cell: (cell.model_type, None))


def by_class(verdicts: Sequence[CellVerdict]) -> Matrix:
    """One row per model class."""
    return _matrix(verdicts, lambda cell: (cell.model_type, cell.model_class))


Key = tuple[str, str | None]


def _matrix(verdicts: Sequence[CellVerdict], key: Callable[[Cell], Key]) -> Matrix:
    order = list(Variant)
    pairs = {(found.cell.backend, found.cell.variant) for found in verdicts}
    places = sorted(pairs, key=lambda pair: (_backend_rank(pair[0]), order.index(pair[1])))
    squares: dict[Key, dict[tuple[str, Variant], list[CellVerdict]]]
    squares = defaultdict(lambda: defaultdict(list))
    for found in verdicts:
        squares[key(found.cell)][found.cell.backend, found.cell.variant].append(found)
    rows = tuple(
        Row(
            model_type=name[0],
            model_class=name[1],
            squares=tuple(_square(squares[name].get(place, [])) for place in places),
        )
        for name in sorted(squares, key=lambda name: (name[0], name[1] or ""))
    )
    columns = tuple(Column(backend=backend, variant=variant) for backend, variant in places)
    return Matrix(columns=columns, rows=rows, cells=len(verdicts))


def _backend_rank(backend: str) -> tuple[int, str]:
    """From the exporter that the others build on to those that build on it."""
    known = ("dynamo", "onnx", "executorch", "openvino")
    return (known.index(backend) if backend in known else len(known)), backend


def _square(found: Sequence[CellVerdict]) -> Square | None:
    if not found:
        return None
    counts = Counter(item.verdict for item in found)
    worst = next(verdict for verdict in WORST_FIRST if verdict in counts)
    return Square(
        verdict=worst,
        counts=counts,
        cells=len(found),
        passed=counts[Verdict.PASS],
        ran=len(found) - counts[Verdict.SKIP],
        title=_title(worst, found),
        cell=found[0].cell if len(found) == 1 else None,
    )


def _title(worst: Verdict, found: Iterable[CellVerdict]) -> str:
    told = next(item for item in found if item.verdict is worst)
    why = told.title or told.reason
    where = f" at {told.stage}" if told.stage else ""
    return f"{worst}{where}: {why}" if why else f"{worst}{where}"
