"""How a run goes while it goes, as each machine that works on it tells.

A machine that has told nothing for a minute is not taken to run; its part is done as far as it
said. What the numbers are made from is said in `watch`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from runner.core.runs import Progress, RunningCell, Verdict

_SILENT_S = 60.0
_SHOWN = 5


def alive(progress: Progress, now: datetime) -> bool:
    """Whether whoever told this still runs."""
    return progress.going and (now - progress.at).total_seconds() < _SILENT_S


class State(StrEnum):
    """Whether a run goes on."""

    RUNNING = "running"
    STOPPED = "stopped"
    CLOSED = "closed"
    #: results come from elsewhere, and nobody tells how far it is
    OPEN = "open"


def state_of(shares: Sequence[Progress], *, closed: bool, now: datetime) -> State:
    """A run that some machine still works on runs, whatever another said of it."""
    if any(alive(share, now) for share in shares):
        return State.RUNNING
    if closed:
        return State.CLOSED
    return State.STOPPED if shares else State.OPEN


def together(shares: Sequence[Progress], now: datetime) -> Progress | None:
    """The shares of several machines as one; those that are silent count only what they did."""
    if not shares:
        return None
    active = [share for share in shares if alive(share, now)]
    left = [share.eta_s for share in active]
    known = [seconds for seconds in left if seconds is not None]
    canaries = [share.canary for share in active if share.canary]
    paces = [share.per_minute for share in active if share.per_minute is not None]
    verdicts: Counter[Verdict] = Counter()
    for share in shares:
        verdicts.update(share.verdicts)
    return Progress(
        done=sum(share.done for share in shares),
        expected=sum(share.expected for share in shares),
        verdicts=dict(verdicts),
        per_minute=sum(paces) if paces else None,
        eta_s=max(known) if known and len(known) == len(left) else None,
        running=slowest(cell for share in active for cell in share.running),
        at=max(share.at for share in shares),
        going=bool(active),
        canary=_summed(canaries) if canaries else None,
    )


def _summed(canaries: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(done for done, _ in canaries), sum(size for _, size in canaries)


def slowest(cells: Iterable[RunningCell]) -> tuple[RunningCell, ...]:
    """The few that have run for the longest."""
    return tuple(sorted(cells, key=lambda cell: -cell.seconds)[:_SHOWN])


def roughly(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def pace(progress: Progress) -> str:
    """`24.1 cells a minute, about 12 min left`; what is unknown is left out."""
    told = []
    if progress.canary:
        return "canary: {} of {} cells compared with cold processes".format(*progress.canary)
    if progress.per_minute is not None:
        told.append(f"{progress.per_minute:.1f} cells a minute")
    if progress.eta_s is not None and progress.eta_s >= 1:
        told.append(f"about {roughly(progress.eta_s)} left")
    return ", ".join(told)


def in_a_line(progress: Progress) -> str:
    """All of it where there is one line."""
    counts = ", ".join(f"{count} {name}" for name, count in progress.verdicts.items())
    told = [f"{progress.done}/{progress.expected} cells", counts, pace(progress)]
    for cell in progress.running[:1]:
        stage = f"{cell.stage}, " if cell.stage else ""
        told.append(f"slowest now {cell.cell} ({stage}{roughly(cell.seconds)})")
    return "; ".join(part for part in told if part)
