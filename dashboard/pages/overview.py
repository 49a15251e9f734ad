"""`/`: how healthy each line of runs is, what changed, what is new, and what runs now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from dashboard.asking import newest
from dashboard.charts import Chart, over_runs
from dashboard.charts import Line as Curve
from dashboard.pages.runs import RunRow, row
from dashboard.rendering import render
from runner.core.change import Change
from runner.core.diff import diff
from runner.core.health import AGES, Line, Rate, age_of, is_late, line_of, rate_of
from runner.core.progress import State
from runner.core.runs import Run, Verdict
from runner.core.triage import Said
from runner.steps.confirming import with_confirmations
from runner.steps.triaging import said_of
from runner.store import reads
from runner.store.engine import Engine
from runner.store.moved import Seen, moved, passed_last
from runner.store.regrouping import first_seen
from runner.store.tallies import Tally, tallies

#: how many runs are looked at, listed, and drawn of a line; how many lines are told
_LOOKED_AT, _LISTED, _DRAWN, _HEAT = 100, 8, 30, 12
_LINES = 6
_GROUPS = 6
_REFRESH_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A backend exporting one variant."""

    name: str
    rate: Rate
    #: percent in the runs drawn, oldest first
    trend: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """A line of runs: its newest complete one, and how it came to that."""

    name: str
    #: what each of its runs was asked for
    selection: str
    run: RunRow
    #: a night is due
    late: bool
    rate: Rate
    #: percent in the runs drawn, oldest first
    trend: tuple[float | None, ...]
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed since the baseline, counted."""

    baseline: RunRow
    complete: bool
    losses: int
    counts: tuple[tuple[Change, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """Failure groups that have been there for about as long."""

    name: str
    groups: int
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Regressions of one age: cells that don't pass now, and passed last in that run."""

    passed_in: RunRow
    cells: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRow:
    """A backend and variant over runs: percent that pass."""

    name: str
    percents: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """What a maintainer looks at first."""

    runs: tuple[RunRow, ...]
    running: tuple[RunRow, ...]
    lines: tuple[Health, ...]
    #: the run that the rest is about: the newest complete one, else the newest with results
    newest: RunRow | None
    changes: Changes | None
    #: regressions of its line, the oldest first
    lost: tuple[Lost, ...]
    ages: tuple[Age, ...]
    #: groups first seen in that run, then the largest of the others
    new_groups: tuple[Seen, ...]
    more_new: int
    large_groups: tuple[Seen, ...]
    #: what people say of these groups, where they say anything
    said: Mapping[str, Said]
    #: of the line of that run
    trend: Chart | None
    heat_runs: tuple[RunRow, ...]
    heat: tuple[HeatRow, ...]


def overview_page(engine: Engine) -> OverviewPage:
    runs = reads.runs(engine, limit=_LOOKED_AT)
    lines = _lines(runs)
    told = tallies(engine, [run for line in lines.values() for run in line])
    about = newest([run for run in runs if line_of(run)]) or newest(runs)
    seen = first_seen(engine, about.id) if about else []
    new = [each for each in seen if about and each.first_run == about.id]
    line = line_of(about) if about else None
    drawn = lines.get(line, []) if line else []
    large = [each for each in seen if each not in new][:_GROUPS]
    shown = [each.signature for each in (*new[:_GROUPS], *large)]
    rows = list(map(row, runs[:_LISTED]))
    return OverviewPage(
        runs=tuple(rows),
        running=tuple(each for each in rows if each.state is State.RUNNING),
        lines=tuple(_healths(lines, told)),
        newest=row(about) if about else None,
        changes=_changes(engine, about, drawn) if about else None,
        lost=tuple(_lost(engine, drawn)),
        ages=tuple(_ages(seen, about)) if about else (),
        new_groups=tuple(new[:_GROUPS]),
        more_new=max(0, len(new) - _GROUPS),
        large_groups=tuple(large),
        said=said_of(engine, shown, about) if about else {},
        trend=_trend(drawn, told) if drawn else None,
        heat_runs=tuple(map(row, drawn[-_HEAT:])),
        heat=tuple(_heat(drawn[-_HEAT:], told)),
    )


def _lines(runs: Sequence[Run]) -> dict[Line, list[Run]]:
    """line -> its complete runs, oldest first; the line with the newest run first."""
    lines: dict[Line, list[Run]] = {}
    for run in runs:
        line = line_of(run)
        if line is None or not run.complete:
            continue
        known = lines.get(line, [])
        if len(known) < _DRAWN and (known or len(lines) < _LINES):
            lines[line] = [run, *known]
    return lines


def _healths(lines: Mapping[Line, Sequence[Run]], told: Mapping[int, Tally]) -> Iterator[Health]:
    named: set[str] = set()
    for line, runs in lines.items():
        # Of nights that differ in selection alone, the newest says whether they are late.
        yield _health(line, runs, told, newest=line.name not in named)
        named.add(line.name)


def _health(line: Line, runs: Sequence[Run], told: Mapping[int, Tally], *, newest: bool) -> Health:
    run = runs[-1]
    return Health(
        name=line.name,
        selection=line.selection,
        run=row(run),
        late=newest and is_late(run, datetime.now(UTC)),
        rate=rate_of(run.verdicts),
        trend=tuple(rate_of(each.verdicts).percent for each in runs),
        places=tuple(
            Place(
                name=place.replace("/", " "),
                rate=rate_of(counts),
                trend=tuple(_percent(told[each.id], place) for each in runs),
            )
            for place, counts in told[run.id].items()
        ),
    )


def _percent(tally: Tally, place: str) -> float | None:
    return rate_of(tally[place]).percent if place in tally else None


def _changes(engine: Engine, run: Run, line: Sequence[Run]) -> Changes | None:
    """Since the last of its line; without one, since the last complete run."""
    baseline = line[-2] if len(line) > 1 else reads.previous_complete(engine, run)
    if baseline is None:
        return None
    sides = moved(engine, baseline.id, run.id)
    found = with_confirmations(engine, diff(baseline, run, sides.before, sides.after))
    return Changes(
        baseline=row(baseline),
        complete=found.complete,
        losses=found.losses,
        counts=tuple((change, count) for change, count in found.counts.items() if change.told),
    )


def _lost(engine: Engine, line: Sequence[Run]) -> list[Lost]:
    if len(line) < 2:
        return []
    cells = passed_last(engine, line[-1].id, [each.id for each in line[:-1]])
    return [Lost(passed_in=row(each), cells=cells[each.id]) for each in line if each.id in cells]


def _ages(seen: Sequence[Seen], run: Run) -> list[Age]:
    counts = {name: [0, 0] for name in AGES}
    for each in seen:
        band = counts[age_of(each.first_seen, run.started_at)]
        band[0] += 1
        band[1] += each.cells
    return [Age(name=name, groups=groups, cells=cells) for name, (groups, cells) in counts.items()]


def _by_backend(tally: Tally) -> dict[str, dict[Verdict, int]]:
    found: dict[str, dict[Verdict, int]] = {}
    for place, counts in tally.items():
        backend = found.setdefault(place.partition("/")[0], {})
        for verdict, count in counts.items():
            backend[verdict] = backend.get(verdict, 0) + count
    return found


def _trend(line: Sequence[Run], told: Mapping[int, Tally]) -> Chart:
    by_run = [_by_backend(told[run.id]) for run in line]
    backends = sorted({backend for each in by_run for backend in each})
    lines = (
        Curve(
            name=backend,
            values=tuple(
                _rounded(rate_of(each[backend]).percent) if backend in each else None
                for each in by_run
            ),
        )
        for backend in backends
    )
    title = "Cells that pass, of those that could run"
    return over_runs(line, lines, id="pass-rate", title=title, unit="%")


def _rounded(percent: float | None) -> float | None:
    return None if percent is None else round(percent, 1)


def _heat(line: Sequence[Run], told: Mapping[int, Tally]) -> list[HeatRow]:
    places = dict.fromkeys(place for run in reversed(line) for place in told[run.id])
    return [
        HeatRow(
            name=place.replace("/", " "),
            percents=tuple(_percent(told[run.id], place) for run in line),
        )
        for place in places
    ]


def routes(engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/index.json")
    def overview_json() -> OverviewPage:
        return overview_page(engine)

    @router.get("/", include_in_schema=False)
    def overview_html(request: Request) -> Response:
        page = overview_page(engine)
        refresh_s = _REFRESH_S if page.running else None
        return render(request, "overview.html", page, title="Overview", refresh_s=refresh_s)

    return router
