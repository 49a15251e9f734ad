"""`/diff` and `/diff/{baseline}/{head}`: what changed between two runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.change import Change
from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff, GroupChange
from runner.core.known import KnownFailure, Standing
from runner.core.numbers import Measure
from runner.core.owner import Owner
from runner.core.render import TITLES, headline
from runner.core.runs import Verdict
from runner.core.sections import CONFIRMED, STANDINGS, confirm_command, moved_line
from runner.core.triage import Said
from runner.steps.comparing import compare_runs
from runner.store import reads
from runner.store.engine import Engine
from runner.store.moved import moved_or_apart

_RUNS, _LISTED = 100, 200
#: stands for the baseline in an address where it is to be chosen
CHOSEN = "chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffFormPage:
    """Two runs to choose."""

    runs: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedCell:
    """A cell that changed, ready to show."""

    id: str
    #: None where the run did not mean to run it
    before: Verdict | None
    after: Verdict | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRoot:
    """A cell that changed, and those that changed because they contain its model."""

    root: ChangedCell
    dependants: tuple[ChangedCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedGroup:
    """Cells that changed alike and share a failure group, or have none."""

    signature: str | None
    title: str | None
    #: whose the failure is, and why
    owner: Owner | None
    #: what people said of it
    said: Said | None
    cells: tuple[ChangedCell, ...]
    #: the cells that no other one explains, each with those that depend on it
    causes: tuple[ChangedRoot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One kind of change, counted; the still-… ones are only counted."""

    change: Change
    title: str
    count: int
    #: of them, those that fail as a known failure says: they stand in its section
    excused: int
    #: of them, those that the head did not bring, as executing them again told
    set_aside: int
    #: of them, those in muted groups
    muted: int
    groups: tuple[ChangedGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedEntry:
    """A known failure and its cells that changed."""

    place: str
    reason: str
    advice: str | None
    cells: tuple[ChangedCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSection:
    """The cells that stand alike with known failures, counted; those that changed are listed."""

    standing: Standing
    title: str
    count: int
    entries: tuple[ChangedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedSection:
    """The apparent losses that came to the same when they were executed again, counted."""

    outcome: Confirmed
    title: str
    count: int
    #: each with how often it came out how
    cells: tuple[ChangedCell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedNumber:
    """A number that moved beyond its noise, in a line."""

    cell: str
    measure: Measure
    told: str
    worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffPage:
    """What changed between two runs."""

    baseline: RunRow
    #: why it is that one, where it is the one that is chosen when nobody names any
    chosen: str | None
    head: RunRow
    complete: bool
    headline: str
    losses: int
    stack: Mapping[str, tuple[str | None, str | None]]
    sections: tuple[Section, ...]
    confirmed: tuple[ConfirmedSection, ...]
    #: apparent losses that were not executed again, and the command that does
    unconfirmed: int
    confirm: str
    numbers: tuple[MovedNumber, ...]
    #: numbers that are apart, in too few runs to tell
    too_few: int
    known: tuple[KnownSection, ...]
    #: entries that only the head's own skip lists have: they excuse nothing here
    added_skips: tuple[ChangedEntry, ...]

    @property
    def listed(self) -> int:
        """How many causes of a group the page lists; its twin and the table have all."""
        return _LISTED


def diff_page(engine: Engine, baseline: str | None, head: str) -> DiffPage:
    found = compare_runs(engine, baseline, head, read=moved_or_apart)
    return DiffPage(
        baseline=row(found.baseline),
        chosen=found.chosen,
        head=row(found.head),
        complete=found.complete,
        # Without its sign: a page has colours and words for that.
        headline=headline(found).partition(" ")[2],
        losses=found.losses,
        stack=found.stack_changes,
        sections=tuple(
            Section(
                change=change,
                title=TITLES[change],
                count=count,
                excused=found.excused(change),
                set_aside=found.set_aside(change),
                muted=found.muted(change),
                groups=tuple(
                    _group(group, found) for group in found.groups if group.change is change
                ),
            )
            for change, count in found.counts.items()
        ),
        confirmed=tuple(
            ConfirmedSection(
                outcome=outcome,
                title=CONFIRMED[outcome],
                count=len(cells),
                cells=tuple(map(_confirmed, cells)),
            )
            for outcome, cells in found.executed_again
        ),
        unconfirmed=len(found.unconfirmed),
        confirm=confirm_command(found),
        numbers=tuple(
            MovedNumber(
                cell=each.cell.id, measure=each.measure, told=moved_line(each), worse=each.worse
            )
            for each in found.numbers.moved
        ),
        too_few=found.numbers.too_few,
        known=tuple(
            KnownSection(
                standing=standing,
                title=STANDINGS[standing],
                count=count,
                entries=tuple(
                    _entry(entry.row, entry.advice, cells)
                    for entry, cells in found.changed(standing)
                ),
            )
            for standing, count in found.known.counts.items()
        ),
        added_skips=tuple(_entry(skip, None, ()) for skip in found.added_skips),
    )


def _entry(known: KnownFailure, advice: str | None, cells: Iterable[CellChange]) -> ChangedEntry:
    return ChangedEntry(
        place=known.place,
        reason=known.reason,
        advice=advice,
        cells=tuple(
            replace(_cell(item), reason=item.known.why if item.known else None) for item in cells
        ),
    )


def _group(group: GroupChange, found: Diff) -> ChangedGroup:
    return ChangedGroup(
        signature=group.signature,
        title=group.title,
        owner=group.owner,
        said=found.said.get(group.signature or ""),
        cells=tuple(map(_cell, group.cells)),
        causes=tuple(
            ChangedRoot(root=_cell(item), dependants=tuple(map(_cell, others)))
            for item, others in group.causes
        ),
    )


def _confirmed(item: CellChange) -> ChangedCell:
    return replace(_cell(item), reason=item.confirmation.why if item.confirmation else None)


def _cell(item: CellChange) -> ChangedCell:
    return ChangedCell(
        id=item.cell.id,
        before=item.before.verdict if item.before else None,
        after=item.after.verdict if item.after else None,
        reason=item.reason,
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/diff.json")
    def form_json() -> DiffFormPage:
        return DiffFormPage(runs=tuple(map(row, reads.runs(engine, limit=_RUNS))))

    @router.get("/diff", include_in_schema=False)
    def form_html(request: Request, baseline: str = "", head: str = "") -> Response:
        if baseline and head:
            numbers = reads.run(engine, baseline).id, reads.run(engine, head).id
            return RedirectResponse(f"/diff/{numbers[0]}/{numbers[1]}", status_code=303)
        if head:
            return RedirectResponse(f"/diff/chosen/{reads.run(engine, head).id}", status_code=303)
        return render(request, "diff_form.html", form_json(), title="Compare two runs")

    @router.get("/diff/{baseline}/{head}.json")
    def diff_json(baseline: str, head: str) -> DiffPage:
        return diff_page(engine, None if baseline == CHOSEN else baseline, head)

    @router.get("/diff/{baseline}/{head}", include_in_schema=False)
    def diff_html(request: Request, baseline: str, head: str) -> Response:
        page = diff_json(baseline, head)
        title = f"{page.baseline.revision} ⟹ {page.head.revision}"
        return render(request, "diff.html", page, title=title)

    return router
