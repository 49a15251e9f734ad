"""A diff and a run as text and as Markdown.

The Markdown keeps the signs that reviewers of Transformers know (`✅ ⟹ ❌`). Every section is
counted; a failure group stands once with its cells; what is left out is said (`and 12 more`), and
no line is cut. Whatever a model or an exporter printed is escaped.
"""

from collections.abc import Iterator, Sequence

from runner.core.change import Change
from runner.core.diff import CellChange, Diff, GroupChange
from runner.core.inline import CELLS_PER_GROUP, arrow, code, escape, line
from runner.core.known import Standing
from runner.core.runs import Run
from runner.core.sections import sections_markdown, sections_text

_NAMES_PER_ROOT = 8

TITLES = {
    Change.REGRESSED: "regressed",
    Change.NEWLY_SKIPPED: "newly skipped",
    Change.REMOVED: "removed",
    Change.SUSPECT: "suspect (timeout, oom, crash or flaky: not trusted)",
    Change.UNKNOWN: "unknown",
    Change.FAILS_DIFFERENTLY: "fail differently",
    Change.FIXED: "fixed",
    Change.UNSKIPPED: "no longer skipped",
    Change.ADDED: "added",
    Change.STILL_FAILING: "still failing",
    Change.STILL_SKIPPED: "still skipped",
    Change.STILL_PASSING: "still passing",
}


#: of entries, in the order of a listing
ENTRIES = {
    Standing.STALE: "stale: all that is meant passes",
    Standing.UNMATCHED: "stale: no cell is meant",
    Standing.PASSING: "passing as far as was run",
    Standing.WORSE: "with cells that are worse than told",
    Standing.EXPIRED: "past the date",
    Standing.BETTER: "with cells that are better than told",
    Standing.AS_EXPECTED: "as expected",
    Standing.UNKNOWN: "with nothing said of the cells",
    Standing.NOT_RUN: "not run",
}
#: entries that ask for nothing to be done
QUIET = (Standing.AS_EXPECTED, Standing.UNKNOWN, Standing.NOT_RUN)


def headline(diff: Diff) -> str:
    """What the diff comes to, in one line; incomplete is never good news."""
    lacking = "" if diff.complete else "; incomplete, there may be more"
    if diff.losses:
        return f"❌ {_exports(diff.losses)} lost{lacking}"
    if diff.doubts:
        return f"⚠️ {_exports(diff.doubts)} in doubt (timeout, oom, crash or flaky){lacking}"
    if diff.baseline.doubtful or diff.head.doubtful:
        return "⚠️ in doubt: the canary of a run differs from its results"
    if not diff.complete:
        return "⚠️ incomplete: no loss among the results that are there"
    excused, aside = diff.excused(Change.REGRESSED), sum(map(diff.set_aside, Change))
    told = [f"{excused} that are known"] if excused else []
    told += [f"{aside} that the head did not bring"] if aside else []
    return "✅ no export lost" + (f" but {' and '.join(told)}" if told else "")


def _exports(count: int) -> str:
    return "1 export" if count == 1 else f"{count:,} exports"


def as_text(diff: Diff) -> str:
    """For a terminal."""
    return "\n".join(_text(diff)) + "\n"


def _text(diff: Diff) -> Iterator[str]:
    yield f"baseline  {_side(diff.baseline.revision, diff, 'baseline')}"
    if diff.chosen:
        yield f"          chosen: {line(diff.chosen)}"
    yield f"head      {_side(diff.head.revision, diff, 'head')}"
    for name, (before, after) in diff.stack_changes.items():
        yield f"stack     {name}: {before or 'none'} -> {after or 'none'}"
    yield headline(diff)
    for change, count in diff.counts.items():
        yield ""
        yield f"{count} {TITLES[change]}{_elsewhere(diff, change)}"
        for group in _of(diff, change):
            yield f"  {group.signature or '-'}  {line(group.title or '')}".rstrip()
            yield from _whose(diff, group)
            for item, others in group.causes[:CELLS_PER_GROUP]:
                yield f"    {arrow(item)}  {item.cell.id}{_because(item)}"
                if others:
                    yield f"           {dependants(item, others)}"
            yield from _left_out(group, "    ")
    yield from sections_text(diff)


def _whose(diff: Diff, group: GroupChange) -> Iterator[str]:
    """Whose it is, and what people said of it."""
    if group.owner:
        yield f"    {group.owner.evidence}"
    if words := diff.words(group.signature):
        yield f"    {line(words)}"


def _elsewhere(diff: Diff, change: Change) -> str:
    count = diff.excused(change)
    told = f", {count} of them as known failures say" if count else ""
    aside = diff.set_aside(change)
    told += f", {aside} of them set aside" if aside else ""
    muted = diff.muted(change)
    return told + (f", {muted} of them in muted groups" if muted else "")


def _side(revision: str, diff: Diff, side: str) -> str:
    run = diff.baseline if side == "baseline" else diff.head
    return f"{revision}  run {run.id} ({run.uid}){_lacks(run)}"


def _lacks(run: Run) -> str:
    if run.filled:
        return "" if run.complete else ", not settled: suspects are to be retried"
    return f", incomplete: {run.received} of {run.expected}"


def as_markdown(diff: Diff) -> str:
    """For a comment on GitHub."""
    return "\n".join(_markdown(diff)) + "\n"


def _markdown(diff: Diff) -> Iterator[str]:
    yield f"### {headline(diff)}"
    yield ""
    yield "| | revision | run | results |"
    yield "|---|---|---|---|"
    for name, run in (("baseline", diff.baseline), ("head", diff.head)):
        counted = f"{run.received} of {run.expected}"
        yield f"| {name} | {escape(run.revision)} | {escape(run.uid)} | {counted} |"
    if diff.chosen:
        yield f"\nbaseline: {escape(diff.chosen)}"
    for name, (before, after) in diff.stack_changes.items():
        yield f"\n`{name}` {escape(str(before))} ⟹ {escape(str(after))}"
    for change, count in diff.counts.items():
        yield ""
        yield f"#### {count} {TITLES[change]}{_elsewhere(diff, change)}"
        for group in _of(diff, change):
            whose = f" · {escape(group.owner.evidence)}" if group.owner else ""
            words = diff.words(group.signature)
            whose += f" · {escape(words)}" if words else ""
            title = escape(group.title or "no failure group")
            yield f"- **{title}** {code(group.signature)}{whose}"
            for item, others in group.causes[:CELLS_PER_GROUP]:
                parts = (item.reason or "", dependants(item, others))
                why = escape("; ".join(filter(None, parts)))
                yield f"    - {code(item.cell.id)} ({arrow(item)}) {why}".rstrip()
            yield from _left_out(group, "    - ")
    yield from sections_markdown(diff)


def _of(diff: Diff, change: Change) -> list[GroupChange]:
    return [group for group in diff.groups if group.change is change]


def dependants(root: CellChange, others: Sequence[CellChange]) -> str:
    """`and 2 dependants: LlamaForCausalLM, llava/LlavaModel`."""
    if not others:
        return ""
    names = [
        each.cell.model_class
        if each.cell.model_type == root.cell.model_type
        else f"{each.cell.model_type}/{each.cell.model_class}"
        for each in others
    ]
    rest = len(names) - _NAMES_PER_ROOT
    more = f" and {rest} more" if rest > 0 else ""
    word = "dependant" if len(names) == 1 else "dependants"
    return f"and {len(names)} {word}: {', '.join(names[:_NAMES_PER_ROOT])}{more}"


def _left_out(group: GroupChange, indent: str) -> Iterator[str]:
    """How many cells stand beyond the roots that are told."""
    rest = sum(1 + len(others) for _, others in group.causes[CELLS_PER_GROUP:])
    if rest:
        yield f"{indent}and {rest} more"


def _because(item: CellChange) -> str:
    return f"  {line(item.reason)}" if item.reason else ""
