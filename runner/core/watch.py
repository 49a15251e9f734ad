"""Counts a share's results as they come, and tells how it goes.

1. A cell is done with its first result; another attempt changes its verdict, never the count.
2. What was carried over, skipped, or done before a resume is done, and says nothing of the speed.
3. The throughput is of the cells executed in the last five minutes.
4. The time left is that of the plan: its seconds that are left, at the pace at which this run has
   done planned seconds so far; at least what the longest cell still takes; then the suspects, one
   after the other. It is unknown until a cell has been executed.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from harness.cells import Cell
from harness.isolation.messages import Started
from harness.results import Outcome, Result
from runner.core.progress import slowest
from runner.core.runs import Progress, RunningCell, Verdict
from runner.core.verdict import fold, to_be_retried

_WINDOW_S = 300.0


@dataclass(slots=True, kw_only=True)
class Watch:
    """A share, and what came of it so far; times are seconds of the Unix clock."""

    #: the share's cells, and the seconds that each is expected to take
    planned: Mapping[Cell, float]
    _verdicts: dict[Cell, Verdict] = field(default_factory=dict)
    _counts: Counter[Verdict] = field(default_factory=Counter)
    _left: dict[Cell, float] = field(init=False)
    #: attempts that are not trusted, so that another is made alone
    _suspects: dict[Cell, list[Result]] = field(default_factory=dict)
    _ends: deque[float] = field(default_factory=deque)
    _began: float | None = None
    _planned_s: float = 0.0
    _actual_s: float = 0.0

    def __post_init__(self) -> None:
        self._left = dict(self.planned)

    def ended(self, result: Result, *, at: float | None) -> None:
        """Count a result that came at that time; None if it was there before."""
        if result.cell not in self.planned:
            return
        attempts = [*self._suspects.pop(result.cell, []), result]
        verdict = fold(attempts).verdict if attempts[1:] else Verdict(result.outcome.value)
        if result.cell in self._verdicts:
            self._counts[self._verdicts[result.cell]] -= 1
        if result.outcome not in (Outcome.PASS, Outcome.SKIP) and to_be_retried(attempts):
            self._suspects[result.cell] = attempts
        self._verdicts[result.cell] = verdict
        self._counts[verdict] += 1
        planned = self._left.pop(result.cell, None)
        executed = not result.carried_from and result.outcome is not Outcome.SKIP
        if at is not None and planned is not None and executed:
            self._begin(at - result.duration_s)
            self._ends.append(at)
            self._planned_s += planned
            self._actual_s += result.duration_s

    def _begin(self, since: float) -> None:
        self._began = since if self._began is None else min(self._began, since)

    def at(self, now: datetime, running: Sequence[Started] = (), *, going: bool = True) -> Progress:
        """How it goes now, while these run."""
        seconds = now.timestamp()
        running = [each for each in running if self._still_runs(each)]
        for each in running:
            self._begin(each.since)
        while self._ends and self._ends[0] < seconds - _WINDOW_S:
            self._ends.popleft()
        return Progress(
            done=len(self._verdicts),
            expected=len(self.planned),
            verdicts={name: count for name, count in self._counts.items() if count},
            per_minute=self._per_minute(seconds),
            eta_s=self._eta(seconds, {each.cell: seconds - each.since for each in running}),
            running=slowest(
                RunningCell(
                    cell=each.cell.id,
                    attempt=each.attempt,
                    stage=each.stage,
                    seconds=max(0.0, seconds - each.since),
                )
                for each in running
            ),
            at=now,
            going=going,
        )

    def _still_runs(self, started: Started) -> bool:
        """Whether no result of it came yet: what runs is told a moment later than what ended."""
        alone = started.cell in self._suspects
        return alone if started.attempt > 1 else started.cell not in self._verdicts

    def _per_minute(self, now: float) -> float | None:
        if self._began is None or not self._planned_s:
            return None
        return 60 * len(self._ends) / max(1.0, min(_WINDOW_S, now - self._began))

    def _eta(self, now: float, running: Mapping[Cell, float]) -> float | None:
        if self._began is None or not self._planned_s:
            return None
        under_way = {cell: run for cell, run in running.items() if cell in self._left}
        begun = sum(min(run, self._left[cell]) for cell, run in under_way.items())
        pace = (self._planned_s + begun) / max(1.0, now - self._began)
        slower = self._actual_s / self._planned_s
        longest = max(
            (each * slower - under_way.get(cell, 0.0) for cell, each in self._left.items()),
            default=0.0,
        )
        alone = sum(
            max(0.0, attempts[-1].duration_s - running.get(cell, 0.0))
            for cell, attempts in self._suspects.items()
        )
        return max(0.0, (sum(self._left.values()) - begun) / pace, longest) + alone
