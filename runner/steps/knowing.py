"""Judges runs by what is known to fail: the user's rows, the project's, upstream's skip lists.

- A run at a commit is judged by that commit's own skip lists, as long as its folder is here.
- In a diff, what only the head's skip lists say excuses nothing: a change that breaks an export
  could hide it by an entry. It is told beside the diff.
- The debt is computed anew from stored verdicts: by today's rows that had been added by then, and
  by each commit's own lists.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from harness.errors import KnownFailureError
from runner.core.judge import judge
from runner.core.known import Known, KnownFailure, Standing
from runner.core.known_file import read_known
from runner.core.runs import CellVerdict, Run
from runner.core.skips import read_skips
from runner.revisions.skips import taken_out, texts_in, texts_of
from runner.settings import settings
from runner.store import reads
from runner.store.engine import Engine

_PROJECTS = "known_failures.toml"
_RECENT_RUNS = 200
DEBT_RUNS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Skips:
    """The skip lists of a commit."""

    commit: str
    rows: tuple[KnownFailure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of a run, and where its rows came from."""

    run: Run
    known: Known
    #: the commit whose skip lists were read; None if there are none here
    skips_from: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """What was known to fail in one run: entries that mean a cell of it, and those cells."""

    run: Run
    entries: int
    cells: int
    #: of the cells, those that pass or come further
    better: int


def today() -> date:
    """The date that entries expire by."""
    return datetime.now(UTC).date()


def own_rows(user: Path | None = None) -> tuple[KnownFailure, ...]:
    """The rows of the user's file (else of the setting's), then those of the project."""
    project = files("runner").joinpath(_PROJECTS).read_text(encoding="utf-8")
    return (*_users(user or settings().known_failures), *read_known(project, file=_PROJECTS))


def _users(path: Path | None) -> tuple[KnownFailure, ...]:
    if path is None:
        return ()
    try:
        # Where a server keeps its files is nobody's business.
        name = path.name if path.is_absolute() else str(path)
        return read_known(path.read_text(encoding="utf-8"), file=name)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise KnownFailureError(f"{path}: {why}; name a file of known failures") from None


def skips_at(revision: str) -> Skips | None:
    """The skip lists of a commit that was run from here; None of a release."""
    home = taken_out(revision, cache=settings().folder)
    return None if home is None else Skips(commit=revision, rows=_skips_in(home))


@lru_cache(maxsize=64)  # a commit's folder never changes
def _skips_in(home: Path) -> tuple[KnownFailure, ...]:
    return read_skips(texts_in(home))


def skips_of(reference: str) -> Skips:
    """The skip lists of `path/to/transformers@main`; `RevisionError` if there is no such commit."""
    sha, texts = texts_of(reference)
    return Skips(commit=sha[:12], rows=read_skips(texts))


def known_in(
    engine: Engine, run: Run, *, user: Path | None = None, skips: Skips | None = None
) -> Told:
    """A run judged by all rows; `skips` are meant instead of those of the run's own commit."""
    skips = skips or skips_at(run.revision)
    rows = (*own_rows(user), *_rows(skips))
    known = judged(rows, run, reads.verdicts(engine, run.id) if rows else ())
    return Told(run=run, known=known, skips_from=skips.commit if skips else None)


def _rows(skips: Skips | None) -> tuple[KnownFailure, ...]:
    return skips.rows if skips else ()


def known_of(run: Run, verdicts: Sequence[CellVerdict]) -> Known:
    """A run's cells, judged by the settings' rows and the run's own skip lists."""
    return judged([*own_rows(), *_rows(skips_at(run.revision))], run, verdicts)


def judged(rows: Sequence[KnownFailure], run: Run, verdicts: Sequence[CellVerdict]) -> Known:
    """A run's cells, judged by these rows as of today."""
    return judge(rows, verdicts, today=today(), selection=run.selection)


def rows_between(
    baseline: Run, head: Run
) -> tuple[Sequence[KnownFailure], tuple[KnownFailure, ...]]:
    """The rows that the head is judged by, and the skips that it adds to the baseline's."""
    old, new = skips_at(baseline.revision), _rows(skips_at(head.revision))
    meant = {row.cells for row in (old.rows if old else new)}
    rows = [*own_rows(), *(row for row in new if row.cells in meant)]
    added = tuple(row for row in new if row.cells not in meant)
    return rows, added


def newest_complete(engine: Engine) -> Run | None:
    """The run that is meant when none is named."""
    return next(complete_runs(engine), None)


def debts(
    engine: Engine,
    *,
    user: Path | None = None,
    skips: Skips | None = None,
    limit: int = DEBT_RUNS,
) -> Iterator[Debt]:
    """The debt of the newest complete runs, newest first; `skips` stand in where a run has none."""
    own = own_rows(user)
    for run, _ in zip(complete_runs(engine), range(limit), strict=False):
        rows = (*_in_force(own, run), *_rows(skips_at(run.revision) or skips))
        state = (run.uid, run.closed_at, *run.verdicts.items(), today())
        entries, cells, better = _owed(engine, run.id, run.selection, rows, state)
        yield Debt(run=run, entries=entries, cells=cells, better=better)


@lru_cache(maxsize=256)  # of a run that has ended nothing changes but with its state
def _owed(
    engine: Engine,
    run_id: int,
    selection: str,
    rows: tuple[KnownFailure, ...],
    _state: tuple[object, ...],
) -> tuple[int, int, int]:
    """Entries that mean cells of the run, those cells, and how many of them are better."""
    found = reads.verdicts(engine, run_id) if rows else ()
    known = judge(rows, found, today=today(), selection=selection)
    meant = sum(bool(entry.cells) for entry in known.entries)
    return meant, len(known.cells), known.counts.get(Standing.BETTER, 0)


def _in_force(rows: Sequence[KnownFailure], run: Run) -> Iterator[KnownFailure]:
    then = run.started_at.date()
    return (row for row in rows if row.added_on is None or row.added_on <= then)


def complete_runs(engine: Engine) -> Iterator[Run]:
    """Those of the newest runs that are complete, newest first."""
    return (run for run in reads.runs(engine, limit=_RECENT_RUNS) if run.complete)
