"""The report of a run as Markdown.

Whatever a model or an exporter printed stands in code spans on one line; every section is counted,
each group stands once with its cells, and what is left out is said.
"""

from collections.abc import Callable, Iterator, Sequence

from runner.core.amounts import seconds, size
from runner.core.inline import CELLS_PER_GROUP, more
from runner.core.pull.quoting import in_table, quoted
from runner.core.report.reasons import Count
from runner.core.report.told import Cost, Group, Report, Side, Version
from runner.core.sections import MOVED, TOO_FEW


def as_markdown(told: Report, *, root: str | None = None) -> str:
    """For a file, an issue or a message; `root` is the dashboard's address, if it has one."""
    return "\n".join(_lines(told, root)) + "\n"


def _lines(told: Report, root: str | None) -> Iterator[str]:
    yield f"## {told.headline}"
    yield ""
    yield f"**{told.summary}**"
    for each in told.lacking:
        yield ""
        yield f"⚠️ Incomplete, there may be more: {quoted(each)}"
    yield ""
    yield "| | revision | run | selection |"
    yield "|---|---|---|---|"
    if told.baseline:
        same = told.baseline.selection == told.run.selection
        yield _row("baseline", told.baseline, root, selection="the same" if same else None)
    yield _row("head" if told.baseline else "run", told.run, root)
    yield from _sections(told)
    yield from _moved(told)
    yield from _counts("Skipped", told.skips)
    yield from _counts("Failed", told.failures)
    yield from _stale(told)
    yield from _costs("Slowest", told.slowest, seconds)
    yield from _costs("Biggest, in memory", told.biggest, lambda amount: size(int(amount)))
    yield from _costs("Largest memory plans", told.largest_plans, lambda each: size(int(each)))
    yield from _stack(told.versions)
    if told.notes:
        yield ""
        yield from (f"- {note}" for note in told.notes)


def _row(name: str, run: Side, root: str | None, *, selection: str | None = None) -> str:
    number = f"[{run.id}]({root}/runs/{run.id})" if root else f"{run.id}"
    return (
        f"| {name} | {in_table(run.revision)} | {number} {in_table(run.uid)} "
        f"| {selection or in_table(run.selection)} |"
    )


def _sections(told: Report) -> Iterator[str]:
    for section in told.sections:
        yield ""
        yield f"### {section.heading}"
        for group in section.groups:
            yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    indent = ""
    if group.title or group.signature:
        parts = [quoted(group.title or "no message"), quoted(group.signature or "")]
        parts += [f"· {quoted(told)}" for told in (group.owner, group.said) if told]
        yield f"- {' '.join(filter(None, parts))} · {group.count:,} cells"
        indent = "    "
    for item in group.items:
        yield f"{indent}- {quoted(item.cell)} ({item.arrow}) {quoted(item.why)}".rstrip()
    if group.more:
        yield f"{indent}- and {group.more:,} more"


def _moved(told: Report) -> Iterator[str]:
    if told.moved:
        yield ""
        yield f"### {len(told.moved):,} {MOVED}"
        for each in told.moved[:CELLS_PER_GROUP]:
            sign = "⚠️" if each.worse else "✅"
            yield f"- {sign} {quoted(each.cell)} {each.told}"
        yield from more(len(told.moved), "- ")
    if told.unsure:
        yield ""
        yield f"{told.unsure:,} {TOO_FEW}"


def _counts(title: str, counts: Sequence[Count]) -> Iterator[str]:
    if counts:
        yield ""
        yield f"### {title}: {sum(each.count for each in counts):,}"
        for each in counts:
            yield f"- {each.count:,} {quoted(each.word)} {quoted(each.example)}".rstrip()


def _stale(told: Report) -> Iterator[str]:
    if told.stale:
        yield ""
        yield f"### Known failures to remove: {len(told.stale):,}"
        for each in told.stale:
            yield f"- {quoted(each.place)} {quoted(each.reason)} ({each.told})"


def _costs(title: str, costs: Sequence[Cost], spelled: Callable[[float], str]) -> Iterator[str]:
    if costs:
        yield ""
        yield f"### {title}"
        yield from (f"- {spelled(each.amount)} {quoted(each.cell)}" for each in costs)


def _stack(versions: Sequence[Version]) -> Iterator[str]:
    if versions:
        yield ""
        yield "### Versions"
        for each in versions:
            before = f"{quoted(each.before)} ⟹ " if each.before else ""
            yield f"- {quoted(each.name)} {before}{quoted(each.version)}"
