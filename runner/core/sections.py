"""The sections of a diff beside those of its changes, as text and as Markdown.

What known failures tell, and what executing apparent losses again came to. Every one is counted.
"""

from collections.abc import Iterator

from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.inline import CELLS_PER_GROUP, arrow, code, escape, line, more
from runner.core.known import Entry, Standing

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
