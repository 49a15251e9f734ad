"""Folds a cell's attempts into one verdict.

The verdict is a function of the *set* of attempts, never of their order or of who ran them:

1. no attempt is `missing`;
2. a skip loses to anything that ran, and an `error` (ours) to anything that says something of them;
   an attempt that was lost with its worker or its zygote, or told to stop, says nothing of its cell
   as long as another one says anything;
3. attempts that all say the same give that outcome;
4. a pass beside a loss is `flaky`; losses that disagree give the loss that more attempts had, then
   the one that says most (`fail` before a death), for a death is retried because it is not trusted.

What represents the verdict is the attempt with the lowest number of those that agree with it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.classify import classify
from runner.core.runs import CellVerdict, Verdict

_LOST = "lost"
#: attempts of a cell at most
TRIES = 4
_SAYS_MOST = (Outcome.FAIL, Outcome.CRASH, Outcome.OOM, Outcome.TIMEOUT)


def missing(cell: Cell) -> CellVerdict:
    """The verdict of a cell without any result."""
    return CellVerdict(cell=cell, verdict=Verdict.MISSING)


def fold(results: Iterable[Result]) -> CellVerdict:
    """The verdict of one cell's attempts; at least one."""
    attempts = list(results)
    if len(attempts) == 1:  # rule 3 at once: nearly all of a million cells have one
        return _verdict(Verdict(attempts[0].outcome.value), attempts[0], attempts)
    attempts.sort(key=lambda result: (result.attempt, result.outcome, result.reason or ""))
    speaking = _speaking(attempts)
    outcomes = {result.outcome for result in speaking}
    if Outcome.PASS in outcomes and len(outcomes) > 1:
        lost = [result for result in speaking if result.outcome is not Outcome.PASS]
        return _verdict(Verdict.FLAKY, lost[0], attempts)
    told = _agreed([result.outcome for result in speaking])
    represents = next(result for result in speaking if result.outcome is told)
    return _verdict(Verdict(told.value), represents, attempts)


def _speaking(attempts: Sequence[Result]) -> list[Result]:
    """The attempts that count: rule 2."""
    kept = [result for result in attempts if not is_lost(result)] or list(attempts)
    for unheard in ({Outcome.SKIP, Outcome.ERROR}, {Outcome.SKIP}):
        heard = [result for result in kept if result.outcome not in unheard]
        if heard:
            return heard
    return kept


def is_lost(result: Result) -> bool:
    """Whether it ended with what ran it, and says nothing of its cell."""
    return result.outcome is Outcome.CRASH and classify(result).kind == _LOST


def to_be_retried(attempts: Sequence[Result]) -> bool:
    """Whether a cell is run once more: all its attempts are lost, or the only other is suspect.

    A cell that kills what runs it looks lost each time: a few are enough to believe it.
    """
    if len(attempts) >= TRIES:
        return False
    kept = [result for result in attempts if not is_lost(result)]
    return not kept or (len(kept) == 1 and classify(kept[0]).suspect)


def _agreed(outcomes: Sequence[Outcome]) -> Outcome:
    counts = Counter(outcomes)

    def rank(outcome: Outcome) -> tuple[int, int]:
        place = _SAYS_MOST.index(outcome) if outcome in _SAYS_MOST else len(_SAYS_MOST)
        return -counts[outcome], place

    return min(counts, key=rank)


def _verdict(verdict: Verdict, represents: Result, attempts: Sequence[Result]) -> CellVerdict:
    components = [part for result in attempts for part in result.components]
    differences = [
        output.max_abs_diff
        for part in represents.components
        for output in part.outputs
        if output.max_abs_diff is not None
    ]
    took = represents.durations_s
    spent = [took[stage] for stage in (Stage.CAPTURE, Stage.LOWER) if stage in took]
    nodes = [part.graph_nodes for part in represents.components if part.graph_nodes is not None]
    planned = [part.planned_bytes for part in components if part.planned_bytes is not None]
    peaks = [result.peak_rss_bytes for result in attempts if result.peak_rss_bytes is not None]
    cpu = [result.cpu_s for result in attempts if result.cpu_s is not None]
    return CellVerdict(
        cell=represents.cell,
        verdict=verdict,
        stage=represents.stage,
        kind=represents.kind,
        signature=represents.signature,
        title=represents.title,
        reason=represents.reason,
        suspect=verdict is not Verdict.PASS and classify(represents).suspect,
        attempts=len(attempts),
        duration_s=represents.duration_s,
        peak_rss_bytes=max(peaks, default=None),
        cpu_s=sum(cpu) if cpu else None,
        planned_bytes=max(planned, default=None),
        max_abs_diff=max(differences, default=None),
        export_s=sum(spent) if spent else None,
        graph_nodes=sum(nodes) if nodes else None,
        carried_from=represents.carried_from,
    )
