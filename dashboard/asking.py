"""What a reader asks for in a search box: the run and the cells, or what is wrong and where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.errors import SelectionError
from runner.core.query.nodes import Number, Standing
from runner.core.query.reader import QueryError, parse
from runner.core.runs import CellVerdict, Run
from runner.steps.knowing import complete_runs
from runner.steps.querying import asks_runs, concerns, search
from runner.store import reads
from runner.store.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Why a query can't be read, and the characters of it that are wrong."""

    message: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The cells that a query means; all of them if it can't be read."""

    found: Sequence[CellVerdict]
    wrong: Wrong | None = None


def ask(
    engine: Engine, run: Run, query: str, verdicts: Sequence[CellVerdict] | None = None
) -> Asked:
    """The cells of a run that a query means; `verdicts` are the run's, if they are known."""
    if verdicts is None:
        verdicts = reads.verdicts(engine, run.id)
    if not query.strip():
        return Asked(found=verdicts)
    try:
        return Asked(found=search(engine, run, verdicts, parse(query)))
    except SelectionError as error:
        return Asked(found=verdicts, wrong=_wrong(error, query))


def asked_of(engine: Engine, query: str, recent: Sequence[Run]) -> Run | None:
    """The run that a query is asked of where none is named: the newest of the recent ones.

    If it says something of runs (`stack:`, `revision:`), it is the newest complete one that it can
    mean a cell of.
    """
    return _meant(engine, query) or newest(recent)


def elsewhere(engine: Engine, run: Run, query: str) -> Run | None:
    """The run that a query is of that says that it is not of this one, if there is such a run."""
    meant = _meant(engine, query)
    return None if meant is None or concerns(parse(query), run) else meant


def _meant(engine: Engine, query: str) -> Run | None:
    """The newest complete run that a query can mean a cell of; None if it says nothing of runs."""
    try:
        asked = parse(query)
    except SelectionError:
        return None
    if not asks_runs(asked):
        return None
    return next((run for run in complete_runs(engine) if concerns(asked, run)), None)


def newest(runs: Sequence[Run]) -> Run | None:
    """The newest complete run of these, else the newest that has results."""
    complete = next((run for run in runs if run.complete), None)
    return complete or next((run for run in runs if run.received), None)


def asks_more(query: str) -> bool:
    """Whether it asks more than what cells came to: numbers (`time>60`), or `is:carried`."""
    try:
        asked = parse(query)
    except SelectionError:
        return False
    return asked.asks(Number) or asked.asks(Standing)


def largest(found: Iterable[CellVerdict], field: str, *, limit: int) -> list[CellVerdict]:
    """Those with the largest numbers, the largest first, as `reads.dearest` finds them in a run."""
    known = [each for each in found if getattr(each, field) is not None]
    return sorted(known, key=lambda each: (-getattr(each, field), each.cell))[:limit]


def _wrong(error: SelectionError, query: str) -> Wrong:
    if isinstance(error, QueryError):
        return Wrong(message=str(error), start=error.start, end=error.end)
    return Wrong(message=str(error), start=0, end=len(query))


def wrong_in(query: str) -> Wrong | None:
    """What is wrong with a query as it is written, if anything is."""
    try:
        parse(query)
    except SelectionError as error:
        return _wrong(error, query)
    return None
