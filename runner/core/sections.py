"""The sections of a diff beside those of its changes, and they as text and as Markdown.

What known failures tell, and what executing apparent losses again came to. Every one is counted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.inline import CELLS_PER_GROUP, arrow, code, escape, line
from runner.core.known import Entry, Standing
from runner.core.numbers import ENOUGH, Measure, Move

#: of cells, in the order of a diff's sections
STANDINGS = {
    Standing.WORSE: "worse than known failures say",
    Standing.EXPIRED: "known failures past their date",
    Standing.BETTER: "better than known failures say",
    Standing.AS_EXPECTED: "known failures, as expected",
    Standing.UNKNOWN: "known failures that nothing is said of",
}

#: entries that only the head has
ADDED_SKIPS = "skips that the head adds to its own list: they excuse nothing here"
MOVED = "numbers that moved beyond their noise"
TOO_FEW = f"numbers that are apart in too few runs to tell: {ENOUGH} show how noisy they are"
MEASURES = {
    Measure.DIFFERENCE: "largest difference to eager",
    Measure.MEMORY: "planned memory",
    Measure.TIME: "export time",
    Measure.SIZE: "graph size",
}
_SPELLED: dict[Measure, Callable[[float], str]] = {
    Measure.DIFFERENCE: "{:.1e}".format,
    Measure.MEMORY: lambda value: f"{value / 2**20:.1f} MiB",
    Measure.TIME: "{:.1f} s".format,
    Measure.SIZE: "{:.0f} nodes".format,
}

#: in the order of a diff's sections
CONFIRMED = {
    Confirmed.NEW: "confirmed: new with the head, each time",
    Confirmed.FAILS_DIFFERENTLY: "confirmed: fail on both sides, each in its own way",
    Confirmed.FLAKY: "flaky when executed again: set aside",
    Confirmed.BROKEN_ON_BASELINE_TOO: "broken on the baseline too: set aside",
    Confirmed.STACK_CHANGED: "changed with the stack, not with the revision: set aside",
    Confirmed.UNKNOWN: "executed again in vain",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A line, and the lines under it."""

    #: `✅ ⟹ ❌`
    sign: str = ""
    #: names of ours
    names: tuple[str, ...]
    #: may be anybody's words
    said: str = ""
    under: tuple["Point", ...] = ()
    #: of those under it, how many are left out
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A counted heading, and its lines."""

    heading: str
    points: tuple[Point, ...] = ()
    #: how many are left out
    more: int = 0


def sections(diff: Diff) -> Iterator[Section]:
    """In the order in which they are told."""
    for outcome, cells in diff.executed_again:
        points = (_cell(item, _evidence(item)) for item in cells)
        yield _counted(CONFIRMED[outcome], points, len(cells))
    if diff.unconfirmed:
        yield Section(
            heading=f"{len(diff.unconfirmed)} not executed again yet",
            points=(Point(names=(confirm_command(diff),)),),
        )
    if moved := diff.numbers.moved:
        points = (Point(names=(each.cell.id,), said=moved_line(each)) for each in moved)
        yield _counted(MOVED, points, len(moved))
    if diff.numbers.too_few:
        yield Section(heading=f"{diff.numbers.too_few} {TOO_FEW}")
    for standing, count in diff.known.counts.items():
        entries = tuple(_entry(*each, standing) for each in diff.changed(standing))
        yield Section(heading=f"{count} {STANDINGS[standing]}", points=entries)
    if added := diff.added_skips:
        skips = tuple(Point(names=(each.place, each.cells), said=each.reason) for each in added)
        yield Section(heading=f"{len(added)} {ADDED_SKIPS}", points=skips)


def sections_text(diff: Diff) -> Iterator[str]:
    """For a terminal."""
    for section in sections(diff):
        yield from ("", section.heading, *_text(section.points, section.more, "  "))


def sections_markdown(diff: Diff) -> Iterator[str]:
    for section in sections(diff):
        yield from ("", f"#### {section.heading}", *_markdown(section.points, section.more, ""))


def _text(points: Iterable[Point], more: int, indent: str) -> Iterator[str]:
    for each in points:
        yield indent + "  ".join(filter(None, (each.sign, *each.names, line(each.said))))
        yield from _text(each.under, each.more, f"{indent}  ")
    if more:
        yield f"{indent}and {more} more"


def _markdown(points: Iterable[Point], more: int, indent: str) -> Iterator[str]:
    for each in points:
        sign = f"({each.sign})" if each.sign else ""
        parts = (*map(code, each.names), sign, escape(each.said))
        yield f"{indent}- {' '.join(filter(None, parts))}"
        yield from _markdown(each.under, each.more, f"{indent}    ")
    if more:
        yield f"{indent}- and {more} more"


def _counted(title: str, points: Iterable[Point], count: int) -> Section:
    told = tuple(islice(points, CELLS_PER_GROUP))
    return Section(heading=f"{count} {title}", points=told, more=count - len(told))


def _entry(entry: Entry, cells: Sequence[CellChange], standing: Standing) -> Point:
    """A known failure: what to do where it is better or expired, else what it is about."""
    asks = standing in (Standing.BETTER, Standing.EXPIRED)
    told = [_cell(item, item.known.why if item.known else "") for item in cells[:CELLS_PER_GROUP]]
    return Point(
        names=(entry.row.place,),
        said=(entry.advice if asks else None) or entry.row.reason,
        under=tuple(told),
        more=len(cells) - len(told),
    )


def _cell(item: CellChange, said: str) -> Point:
    return Point(sign=arrow(item), names=(item.cell.id,), said=said)


def moved_line(found: Move) -> str:
    """`export time 2.1 s -> 4.0 s, 1.9 times (noise 0.1 s; 5 and 3 runs)`."""
    spell = _SPELLED[found.measure]
    told = f"{MEASURES[found.measure]} {spell(found.before)} -> {spell(found.after)}"
    ratio = f", {found.after / found.before:.2f} times" if found.before else ""
    return f"{told}{ratio} (noise {spell(found.noise)}; {found.runs[0]} and {found.runs[1]} runs)"


def confirm_command(diff: Diff) -> str:
    """What executes again what was not."""
    return f"export-matrix confirm {diff.baseline.id} {diff.head.id}"


def _evidence(item: CellChange) -> str:
    return item.confirmation.why if item.confirmation else ""
