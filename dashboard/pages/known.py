"""`/known`: what is known to fail, how it stands in a run, and the debt of runs over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter, Request, Response

from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.known import Entry, KnownCell, Standing
from runner.core.render import ENTRIES, QUIET
from runner.core.runs import Verdict
from runner.steps.knowing import debts, known_in, newest_complete
from runner.store import reads
from runner.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCellRow:
    """A cell that an entry means."""

    id: str
    verdict: Verdict
    standing: Standing
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRow:
    """An entry, ready to show."""

    #: file and lines
    place: str
    #: SELECT
    meant: str
    #: outcome, stage and kind, as far as they are named
    expected: str
    reason: str
    link: str | None
    added_on: date | None
    expires_on: date | None
    advice: str | None
    counts: Mapping[Standing, int]
    cells: tuple[KnownCellRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSection:
    """The entries that stand alike."""

    standing: Standing
    title: str
    #: whether it asks for nothing to be done
    quiet: bool
    entries: tuple[KnownRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtRow:
    """What was known to fail in one run."""

    run: RunRow
    entries: int
    cells: int
    better: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPage:
    """All entries, judged by a run."""

    #: None while there is no complete run
    run: RunRow | None
    #: the commit whose skip lists are among the entries
    skips_from: str | None
    #: cells, each by the first entry that means it
    counts: Mapping[Standing, int]
    sections: tuple[KnownSection, ...]
    #: newest first
    debt: tuple[DebtRow, ...]


def known_page(engine: Engine, ref: str) -> KnownPage:
    """The page of a run, or of the newest complete one."""
    run = reads.run(engine, ref) if ref else newest_complete(engine)
    if run is None:
        return KnownPage(run=None, skips_from=None, counts={}, sections=(), debt=())
    told = known_in(engine, run)
    sections = (
        KnownSection(
            standing=standing,
            title=title,
            quiet=standing in QUIET,
            entries=tuple(map(_entry, found)),
        )
        for standing, title in ENTRIES.items()
        if (found := told.known.standing(standing))
    )
    return KnownPage(
        run=row(run),
        skips_from=told.skips_from,
        counts=told.known.counts,
        sections=tuple(sections),
        debt=tuple(
            DebtRow(run=row(each.run), entries=each.entries, cells=each.cells, better=each.better)
            for each in debts(engine)
        ),
    )


def _entry(entry: Entry) -> KnownRow:
    named = (entry.row.outcome, entry.row.stage, entry.row.kind)
    return KnownRow(
        place=entry.row.place,
        meant=entry.row.cells,
        expected=" / ".join(filter(None, named)) or "any failure",
        reason=entry.row.reason,
        link=entry.row.link,
        added_on=entry.row.added_on,
        expires_on=entry.row.expires_on,
        advice=entry.advice,
        counts=entry.counts,
        cells=tuple(map(_cell, entry.cells)),
    )


def _cell(cell: KnownCell) -> KnownCellRow:
    return KnownCellRow(
        id=cell.found.cell.id, verdict=cell.found.verdict, standing=cell.standing, why=cell.why
    )


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/known.json")
    def known_json(run: str = "") -> KnownPage:
        return known_page(engine, run)

    @router.get("/known", include_in_schema=False)
    def known_html(request: Request, run: str = "") -> Response:
        return render(request, "known.html", known_page(engine, run), title="Known failures")

    return router
