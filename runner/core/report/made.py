"""Makes the report of a run, from its verdicts and the diff with its baseline."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from runner.core.change import Change
from runner.core.diff import CellChange, Diff, GroupChange
from runner.core.inline import CELLS_PER_GROUP, arrow
from runner.core.known import Known
from runner.core.numbers import Move
from runner.core.render import ENTRIES, TITLES, dependants, headline
from runner.core.report.reasons import Count, counted
from runner.core.report.told import (
    Cost,
    Group,
    Item,
    Moved,
    Report,
    Section,
    Side,
    Stale,
    State,
    Version,
)
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.sections import CONFIRMED, moved_line
from runner.core.summary import audit_line, canary_line, schedule_line, summary_line

#: how many of the cells that cost most are told, by each of these
TOP = 8
COSTS = ("duration_s", "peak_rss_bytes", "planned_bytes")
_FAILED = (Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)


def report(  # noqa: PLR0913  (what a report is made of)
    run: Run,
    verdicts: Sequence[CellVerdict],
    known: Known,
    diff: Diff | None,
    *,
    lost_shards: Collection[str] = (),
    notes: Collection[str] = (),
) -> Report:
    """The report of a run; `diff` is the one with its baseline, if it has one.

    Of what passes, `verdicts` need only have the cells that cost most.
    `lost_shards` are parts of the run that ended without their results, and why.
    """
    lacking = (*_lacking(run), *lost_shards)
    state = _state(run, diff, lacking)
    slowest, biggest, largest_plans = (_top(verdicts, column) for column in COSTS)
    return Report(
        state=state,
        headline=_headline(state, run, diff),
        lacking=lacking,
        run=_side(run),
        baseline=_side(diff.baseline) if diff else None,
        summary=summary_line(run.verdicts, run.duration_s),
        expected=run.expected,
        received=run.received,
        notes=(*notes, *_notes(run)),
        skips=counted(each.reason for each in verdicts if each.verdict is Verdict.SKIP),
        failures=_by_kind(verdicts),
        sections=tuple(_sections(diff)) if diff else (),
        moved=tuple(map(_moved, diff.numbers.moved)) if diff else (),
        unsure=diff.numbers.too_few if diff else 0,
        stale=tuple(_stale(known)),
        slowest=slowest,
        biggest=biggest,
        largest_plans=largest_plans,
        versions=tuple(_versions(run.stack, diff.baseline.stack if diff else None)),
    )


def _state(run: Run, diff: Diff | None, lacking: Sequence[str]) -> State:
    if lacking or not run.complete:
        return State.INCOMPLETE
    if diff is None:
        return State.ALONE
    if diff.losses:
        return State.LOST
    return State.CLEAN if diff.trusted and not diff.doubts else State.DOUBTFUL


def _headline(state: State, run: Run, diff: Diff | None) -> str:
    if diff is not None and (diff.losses or diff.doubts or state is not State.INCOMPLETE):
        return headline(diff)
    if state is State.INCOMPLETE:
        return f"⚠️ incomplete: {run.received:,} of {run.expected:,} cells have a result"
    return "no earlier complete run to compare with: nothing is said of losses"


def _lacking(run: Run) -> Iterator[str]:
    missing = run.expected - run.received
    if missing > 0:
        yield f"{missing:,} of {run.expected:,} cells have no result"
    elif not run.complete:
        yield "no cell was run" if not run.expected else "suspects are still to be retried"
    if run.doubtful:
        yield "the canary differs from the run's results"


def _side(run: Run) -> Side:
    return Side(
        id=run.id,
        uid=run.uid,
        revision=run.revision,
        selection=run.selection,
        started_at=run.started_at,
        duration_s=run.duration_s,
    )


def _notes(run: Run) -> Iterator[str]:
    if run.audit and (run.audit.carried or run.audit.audited):
        yield audit_line(run.audit)
    if run.schedule:
        yield schedule_line(run.schedule)
    if run.canary:
        yield canary_line(run.canary)


def _by_kind(verdicts: Iterable[CellVerdict]) -> tuple[Count, ...]:
    """Failures by kind, with the most frequent title of each."""
    titles: dict[str, Counter[str]] = {}
    for each in verdicts:
        if each.verdict in _FAILED:
            said = each.title or each.reason or ""
            titles.setdefault(each.kind or each.verdict, Counter())[said] += 1
    counts = [
        Count(word=kind, count=found.total(), example=found.most_common(1)[0][0])
        for kind, found in titles.items()
    ]
    return tuple(sorted(counts, key=lambda each: (-each.count, each.word)))


def _sections(diff: Diff) -> Iterator[Section]:
    for change in Change:
        groups = tuple(_group(each, diff) for each in diff.groups if each.change is change)
        if groups:
            count = sum(group.count for group in groups)
            yield Section(name=change, title=TITLES[change], count=count, groups=groups)
    for outcome, cells in diff.executed_again:
        # What stands with its change above is only counted here.
        groups = (_plain(cells),) if outcome.set_aside else ()
        yield Section(
            name=f"confirmed-{outcome}", title=CONFIRMED[outcome], count=len(cells), groups=groups
        )
    excused = [item for item in diff.cells if item.change.told and item.excused]
    if excused:
        group = _plain(excused)
        title = "changed as known failures say"
        yield Section(name="known", title=title, count=len(excused), groups=(group,))
    if diff.counts.get(Change.STILL_FAILING):
        count = diff.counts[Change.STILL_FAILING]
        yield Section(name=Change.STILL_FAILING, title=TITLES[Change.STILL_FAILING], count=count)


def _moved(found: Move) -> Moved:
    return Moved(cell=found.cell.id, told=moved_line(found), worse=found.worse)


def _group(found: GroupChange, diff: Diff) -> Group:
    """Its roots; what depends on one says the same again, and stands beside it."""
    items = [
        Item(
            cell=item.cell.id,
            arrow=arrow(item),
            why="; ".join(filter(None, [_why(item), dependants(item, others)])),
        )
        for item, others in found.causes[:CELLS_PER_GROUP]
    ]
    said = diff.said.get(found.signature or "")
    told = sum(1 + len(others) for _, others in found.causes[:CELLS_PER_GROUP])
    return Group(
        signature=found.signature,
        title=found.title,
        owner=found.owner.evidence if found.owner else None,
        said=said.words if said else None,
        issue=said.issue if said else None,
        muted=bool(said and said.muted),
        count=len(found.cells),
        items=tuple(items),
        more=len(found.cells) - told,
    )


def _plain(cells: Sequence[CellChange]) -> Group:
    """Cells without a failure of their own to tell."""
    first = cells[:CELLS_PER_GROUP]
    items = tuple(Item(cell=each.cell.id, arrow=arrow(each), why=_why(each)) for each in first)
    return Group(count=len(cells), items=items, more=len(cells) - len(items))


def _why(item: CellChange) -> str:
    told = [item.reason, item.confirmation.why if item.confirmation else None]
    return "; ".join(filter(None, told))


def _stale(known: Known) -> Iterator[Stale]:
    for entry in known.entries:
        if entry.stale:
            yield Stale(
                place=entry.row.place,
                cells=entry.row.cells,
                reason=entry.row.reason,
                told=ENTRIES[entry.standing],
            )


def _top(verdicts: Iterable[CellVerdict], field: str) -> tuple[Cost, ...]:
    amounts = ((each.cell.id, getattr(each, field)) for each in verdicts)
    known = sorted(((cell, amount) for cell, amount in amounts if amount), key=lambda x: -x[1])
    return tuple(Cost(cell=cell, amount=amount) for cell, amount in known[:TOP])


def _versions(now: Mapping[str, str], before: Mapping[str, str] | None) -> Iterator[Version]:
    then = now if before is None else before
    for name in {**now, **then}:
        here, there = now.get(name, "none"), then.get(name, "none")
        yield Version(name=name, version=here, before=None if here == there else there)
