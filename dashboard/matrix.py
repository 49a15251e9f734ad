"""The matrix: model types, or their classes, by backend and variant; sorted, and in bands.

- A square of several cells shows the worst of them and how many pass, of those that could run.
- Rows are sorted by name, by how much fails, or by what one column came to, the worst first.
- Bands group rows by family (what the type's name begins with) or modality (what its model takes).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Protocol

from dashboard.words import WORST_FIRST
from harness.cells import Cell, Variant
from runner.core.families import family_of
from runner.core.runs import Verdict

_TITLE = 160
#: so many classes are few
_CLASSES = 80
_RANK = {verdict: number for number, verdict in enumerate(WORST_FIRST)}
_VARIANTS = list(Variant)
_BACKENDS = ("dynamo", "onnx", "executorch", "openvino")


class Seen(Protocol):
    """What came of a cell, as far as a matrix shows it."""

    @property
    def cell(self) -> Cell: ...
    @property
    def verdict(self) -> Verdict: ...
    @property
    def stage(self) -> str | None: ...
    @property
    def title(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...


class Sort(StrEnum):
    """What comes first; `backend/variant` sorts by that column."""

    NAME = "name"
    FAILING = "failing"


class By(StrEnum):
    """What rows stand together by."""

    NONE = "none"
    FAMILY = "family"
    MODALITY = "modality"


@dataclass(frozen=True, slots=True)
class Column:
    """A backend exporting one variant."""

    backend: str
    variant: Variant

    @property
    def name(self) -> str:
        return f"{self.backend}/{self.variant}"


@dataclass(slots=True)  # not frozen: to be made so takes three times as long, and there are many
class Square:
    """The cells of a row in a column."""

    verdict: Verdict
    counts: Mapping[Verdict, int]
    cells: int
    #: cells that pass, of those that were not skipped
    passed: int
    ran: int
    #: what failed, for a reader who hovers, goes there by keys, or listens
    title: str
    #: the only cell, where there is only one
    cell: Cell | None


@dataclass(frozen=True, slots=True)
class Row:
    """A model type, or a model class of one."""

    model_type: str
    model_class: str | None
    #: one per column; None where nothing was meant to run
    squares: tuple[Square | None, ...]
    passed: int
    ran: int


@dataclass(frozen=True, slots=True)
class Band:
    """Rows that stand together; without a name where all do."""

    name: str
    rows: tuple[Row, ...]

    @property
    def passed(self) -> int:
        return sum(row.passed for row in self.rows)

    @property
    def ran(self) -> int:
        return sum(row.ran for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Columns, bands of rows, and how many cells there are."""

    columns: tuple[Column, ...]
    bands: tuple[Band, ...]
    #: whether rows are model classes, else model types
    classes: bool
    #: in all rows, also those that are left out
    cells: int
    #: rows that are left out, in which less fails than in those that are there
    more: int = 0

    @property
    def backends(self) -> list[tuple[str, int]]:
        """(backend, its columns), for the upper header."""
        return list(Counter(column.backend for column in self.columns).items())

    @property
    def rows(self) -> int:
        return sum(len(band.rows) for band in self.bands)


def few_classes(found: Iterable[Seen]) -> bool:
    """Whether a row for each class is not too much: few of them, or of one model type."""
    names: set[tuple[str, str]] = set()
    types: set[str] = set()
    for each in found:
        names.add((each.cell.model_type, each.cell.model_class))
        types.add(each.cell.model_type)
        if len(names) > _CLASSES and len(types) > 1:
            return False
    return True


def matrix(  # noqa: PLR0913  (which rows, and in which order)
    found: Iterable[Seen],
    *,
    classes: bool = False,
    sort: str = Sort.NAME,
    by: By = By.NONE,
    modalities: Mapping[str, str] | None = None,
    most: int | None = None,
) -> Matrix:
    """The matrix of these cells; `modalities` tells what the model types take.

    Of more rows than `most`, those are told in which most fails, in this order.
    """
    gathered: dict[tuple[str, str], dict[tuple[str, Variant], list[Seen]]]
    gathered = defaultdict(lambda: defaultdict(list))
    pairs: set[tuple[str, Variant]] = set()
    count = 0
    for each in found:
        cell = each.cell
        place = cell.backend, cell.variant
        pairs.add(place)
        name = cell.model_type, cell.model_class if classes else ""
        gathered[name][place].append(each)
        count += 1
    places = sorted(pairs, key=lambda pair: (_backend_rank(pair[0]), _VARIANTS.index(pair[1])))
    columns = tuple(Column(*place) for place in places)
    names = sorted(gathered)
    if most is not None and len(names) > most:
        failing = Counter(
            {name: sum(map(_fails, chain(*gathered[name].values()))) for name in names}
        )
        names = [name for name, _ in failing.most_common(most)]
    rows = [_row(name, gathered[name], places) for name in names]
    rows.sort(key=_order(sort, columns))
    return Matrix(
        columns=columns,
        bands=tuple(_bands(rows, by, modalities or {})),
        classes=classes,
        cells=count,
        more=len(gathered) - len(rows),
    )


def _fails(found: Seen) -> bool:
    """Whether it counts as one that ran and did not pass."""
    return found.verdict is not Verdict.PASS and found.verdict is not Verdict.SKIP


def _backend_rank(backend: str) -> tuple[int, str]:
    """From the exporter that the others build on to those that build on it."""
    return (_BACKENDS.index(backend) if backend in _BACKENDS else len(_BACKENDS)), backend


def _row(
    name: tuple[str, str],
    squares: Mapping[tuple[str, Variant], Sequence[Seen]],
    places: Sequence[tuple[str, Variant]],
) -> Row:
    made = tuple(_square(squares[place]) if place in squares else None for place in places)
    there = [square for square in made if square]
    return Row(
        model_type=name[0],
        model_class=name[1] or None,
        squares=made,
        passed=sum(square.passed for square in there),
        ran=sum(square.ran for square in there),
    )


def _order(sort: str, columns: Sequence[Column]) -> Callable[[Row], tuple[float, ...]]:
    """How rows compare; those that are equal stay in the order of their names."""
    if sort == Sort.FAILING:
        return lambda row: (row.passed - row.ran,)
    places = [number for number, column in enumerate(columns) if column.name == sort]
    return lambda row: tuple(_badness(row.squares[place]) for place in places)


def _badness(square: Square | None) -> float:
    """The worst first; where nothing was meant to run last."""
    if square is None:
        return len(_RANK) + 1.0
    return _RANK[square.verdict] + square.passed / (square.ran + 1)


def _bands(rows: Sequence[Row], by: By, modalities: Mapping[str, str]) -> Iterable[Band]:
    if by is By.NONE:
        return [Band("", tuple(rows))] if rows else []
    told: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        family = by is By.FAMILY
        name = family_of(row.model_type) if family else modalities.get(row.model_type, "not known")
        told[name].append(row)
    return [Band(name, tuple(told[name])) for name in sorted(told)]


def _square(found: Sequence[Seen]) -> Square:
    told = {item.verdict for item in found}
    if len(told) == 1:
        # Nearly all are like that, and to count takes as long as the rest.
        [verdict], count, first = told, len(found), found[0]
        passed, ran = count * (verdict is Verdict.PASS), count * (verdict is not Verdict.SKIP)
        only = first.cell if count == 1 else None
        return Square(verdict, {verdict: count}, count, passed, ran, _title(first), only)
    counts = Counter(item.verdict for item in found)
    worst = min(counts, key=_RANK.__getitem__)
    ran = len(found) - counts[Verdict.SKIP]
    title = _title(next(item for item in found if item.verdict is worst))
    return Square(worst, counts, len(found), counts[Verdict.PASS], ran, title, None)


def _title(found: Seen) -> str:
    why = found.title or found.reason
    where = f" at {found.stage}" if found.stage else ""
    told = f"{found.verdict}{where}: {why}" if why else f"{found.verdict}{where}"
    return told if len(told) <= _TITLE else f"{told[: _TITLE - 1]}…"
