"""Which cells the rows mean: every row judged by a run, and every cell told by a row.

Of several rows that mean a cell the first tells of it; a row is judged by all the cells that it
means. That it means none shows a stale row only in a run over all classes, and only if no cell of
its classes is there under another variant or backend.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache, lru_cache

from harness.cells import Cell, Variant, folded
from runner.core.known import Entry, Known, KnownCell, KnownFailure, Standing, stand
from runner.core.runs import CellVerdict
from runner.core.select import Selection, parse_words

#: words of a run's selection that leave no class out
_AXES = ("backend", "variant", "provider")
#: those that a row means by `*`, where the run has any of them
_BACKENDS = ("dynamo", "onnx", "executorch")
_TESTERS, _UPSTREAMS = "provider:testers", "upstream's own cases (--provider testers)"
_ANY = "*"
_RANK = list(Standing).index


def judge(
    rows: Sequence[KnownFailure], verdicts: Iterable[CellVerdict], *, today: date, selection: str
) -> Known:
    """The rows judged by the cells of a run that was asked for `selection`."""
    if not rows:
        return Known()
    verdicts = list(verdicts)
    meant: dict[int, list[KnownCell]] = {}
    told: dict[Cell, KnownCell] = {}
    candidates = _candidates(rows)
    for found in verdicts:
        for number in candidates(found.cell):
            row = rows[number]
            if selected(row).matches_cell(found.cell):
                standing, why = stand(row, found, today)
                cell = KnownCell(found=found, row=row, standing=standing, why=why)
                meant.setdefault(number, []).append(cell)
                told.setdefault(found.cell, cell)
    absent = _absent(rows, (found.cell for found in verdicts), selection)
    unseen = _unseen(verdicts, testers=_TESTERS in selection.split())
    entries = []
    for number, row in enumerate(rows):
        cells = tuple(meant.get(number, ()))
        without = Standing.UNMATCHED if number in absent else Standing.NOT_RUN
        standing = _worst(cells) or without
        entry = Entry(row=row, cells=cells, standing=standing, unseen=unseen(row, cells))
        entries.append(_passing(entry) if entry.passing == entry.judged > 0 else entry)
    return Known(entries=tuple(entries), cells=told)


def _passing(entry: Entry) -> Entry:
    return replace(entry, standing=Standing.PASSING if entry.unseen else Standing.STALE)


def _unseen(
    verdicts: Sequence[CellVerdict], *, testers: bool
) -> Callable[[KnownFailure, Iterable[KnownCell]], tuple[str, ...]]:
    """What a row means of the classes that it was judged by, beyond the cells of the run.

    A run of forward variants doesn't know which classes generate, so those are asked for apart.
    An entry of upstream's means upstream's own cases: other inputs may pass where theirs fail.
    """
    ran = {found.cell for found in verdicts}
    backends = {cell.backend for cell in ran}
    if backends & set(_BACKENDS):
        backends |= set(_BACKENDS)

    def of(row: KnownFailure, cells: Iterable[KnownCell]) -> tuple[str, ...]:
        classes = dict.fromkeys(
            (each.found.cell.model_type, each.found.cell.model_class, variant)
            for each in cells
            for variant in Variant
            if variant.generates == each.found.cell.variant.generates
        )
        meant = [Cell(*case, backend) for case in classes for backend in sorted(backends)]
        lacking: dict[Variant, dict[str, None]] = {}
        for cell in meant:
            if cell not in ran and selected(row).matches_cell(cell):
                lacking.setdefault(cell.variant, {})[cell.backend] = None
        upstreams = [_UPSTREAMS] if meant and row.upstream and not testers else []
        return (
            *(f"{variant} ({', '.join(names)})" for variant, names in lacking.items()),
            *upstreams,
        )

    return of


def _worst(cells: Iterable[KnownCell]) -> Standing | None:
    return min((cell.standing for cell in cells), key=_RANK, default=None)


@lru_cache(maxsize=10_000)
def _parsed(cells: str) -> Selection:
    return parse_words([cells])


def selected(row: KnownFailure) -> Selection:
    """The cells that a row means."""
    return _parsed(row.cells)


def _candidates(rows: Sequence[KnownFailure]) -> Callable[[Cell], list[int]]:
    """The rows that may mean a cell, by the names they spell out: most name one class."""
    by_name: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for name in _names(selected(row)):
            by_name.setdefault(name, []).append(number)

    @cache
    def of_class(model_type: str, model_class: str) -> list[int]:
        names = (folded(model_class), folded(model_type), _ANY)
        return sorted({number for name in names for number in by_name.get(name, ())})

    return lambda cell: of_class(cell.model_type, cell.model_class)


def _names(selection: Selection) -> set[str]:
    """Types or classes of which a cell must have one; `_ANY` where some glob leaves it open."""
    globs = selection.globs.get("", ()) or selection.globs.get("class", ())
    return {_name(glob) for glob in globs} or {_ANY}


def _name(glob: str) -> str:
    kind, _, rest = glob.partition("/")
    spelled = (part for part in (rest.partition("/")[0], kind) if part)
    return next((part for part in spelled if not set(part) & set("*?[")), _ANY)


def _absent(rows: Sequence[KnownFailure], cells: Iterable[Cell], selection: str) -> frozenset[int]:
    """The rows of whose classes a run over all classes has no cell: they mean nothing."""
    if {word for word in selection.split() if word.partition(":")[0] not in _AXES} != {"all"}:
        return frozenset()
    candidates = _candidates(rows)
    one_each = {(cell.model_type, cell.model_class): cell for cell in cells}
    present = (
        number
        for cell in one_each.values()
        for number in candidates(cell)
        if _classes(selected(rows[number])).matches_cell(cell)
    )
    return frozenset(range(len(rows))).difference(present)


def _classes(selection: Selection) -> Selection:
    """The selection without what it says of variants and backends."""
    globs = {key: value for key, value in selection.globs.items() if key not in _AXES}
    if bare := globs.get(""):
        globs[""] = tuple(
            "/".join([*glob.split("/")[:2], "*", "*"]) if "/" in glob else glob for glob in bare
        )
    return Selection(selection.text, globs, {})
