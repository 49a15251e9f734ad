"""The sections of a diff beside those of its changes, as text and as Markdown.

What known failures tell, and what executing apparent losses again came to. Every one is counted.
"""

from collections.abc import Callable, Iterator

from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.inline import CELLS_PER_GROUP, arrow, code, escape, line, more
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


def known_text(diff: Diff) -> Iterator[str]:
    for standing, count in diff.known.counts.items():
        yield ""
        yield f"{count} {STANDINGS[standing]}"
        for entry, cells in diff.changed(standing):
            yield f"  {entry.row.place}  {line(_told(entry, standing))}"
            for item in cells[:CELLS_PER_GROUP]:
                yield f"    {arrow(item)}  {item.cell.id}{_why(item)}"
            yield from more(len(cells), "    ")
    if diff.added_skips:
        yield ""
        yield f"{len(diff.added_skips)} {ADDED_SKIPS}"
        for row in diff.added_skips:
            yield f"  {row.place}  {line(row.cells)}  {line(row.reason)}"


def confirmed_text(diff: Diff) -> Iterator[str]:
    for outcome, cells in diff.executed_again:
        yield ""
        yield f"{len(cells)} {CONFIRMED[outcome]}"
        for item in cells[:CELLS_PER_GROUP]:
            yield f"    {arrow(item)}  {item.cell.id}  {line(_evidence(item))}"
        yield from more(len(cells), "    ")
    if diff.unconfirmed:
        yield ""
        yield f"{len(diff.unconfirmed)} not executed again yet: {confirm_command(diff)}"


def known_markdown(diff: Diff) -> Iterator[str]:
    for standing, count in diff.known.counts.items():
        yield ""
        yield f"#### {count} {STANDINGS[standing]}"
        for entry, cells in diff.changed(standing):
            yield f"- {code(entry.row.place)} {escape(_told(entry, standing))}"
            for item in cells[:CELLS_PER_GROUP]:
                yield f"    - {code(item.cell.id)} ({arrow(item)}){escape(_why(item))}"
            yield from more(len(cells), "    - ")
    if diff.added_skips:
        yield ""
        yield f"#### {len(diff.added_skips)} {ADDED_SKIPS}"
        for row in diff.added_skips:
            yield f"- {code(row.place)} {code(row.cells)} {escape(row.reason)}"


def confirmed_markdown(diff: Diff) -> Iterator[str]:
    for outcome, cells in diff.executed_again:
        yield ""
        yield f"#### {len(cells)} {CONFIRMED[outcome]}"
        for item in cells[:CELLS_PER_GROUP]:
            yield f"- {code(item.cell.id)} ({arrow(item)}) {escape(_evidence(item))}"
        yield from more(len(cells), "- ")
    if diff.unconfirmed:
        yield ""
        yield f"{len(diff.unconfirmed)} not executed again yet: {code(confirm_command(diff))}"


def numbers_text(diff: Diff) -> Iterator[str]:
    if diff.numbers.moved:
        yield ""
        yield f"{len(diff.numbers.moved)} {MOVED}"
        for each in diff.numbers.moved[:CELLS_PER_GROUP]:
            yield f"    {moved_line(each)}  {each.cell.id}"
        yield from more(len(diff.numbers.moved), "    ")
    if diff.numbers.too_few:
        yield ""
        yield f"{diff.numbers.too_few} {TOO_FEW}"


def numbers_markdown(diff: Diff) -> Iterator[str]:
    if diff.numbers.moved:
        yield ""
        yield f"#### {len(diff.numbers.moved)} {MOVED}"
        for each in diff.numbers.moved[:CELLS_PER_GROUP]:
            yield f"- {code(each.cell.id)} {escape(moved_line(each))}"
        yield from more(len(diff.numbers.moved), "- ")
    if diff.numbers.too_few:
        yield ""
        yield f"{diff.numbers.too_few} {TOO_FEW}"


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


def _told(entry: Entry, standing: Standing) -> str:
    """What to do with an entry that is better or expired; else what it is about."""
    asks = standing in (Standing.BETTER, Standing.EXPIRED)
    return (entry.advice if asks else None) or entry.row.reason


def _why(item: CellChange) -> str:
    return f"  {line(item.known.why)}" if item.known else ""
