"""A run in a few lines of text, in the words of pytest's own summary."""

from collections.abc import Mapping

from runner.core.runs import Audit, Canary, Verdict
from runner.core.schedule import Schedule

#: what pytest calls each verdict, in the order of its summary line
_WORDS = {
    Verdict.PASS: "passed",
    Verdict.SKIP: "skipped",
    Verdict.FAIL: "failed",
    Verdict.CRASH: "crashed",
    Verdict.TIMEOUT: "timed out",
    Verdict.OOM: "out of memory",
    Verdict.FLAKY: "flaky",
    Verdict.ERROR: "errors",
    Verdict.MISSING: "missing",
}


def summary_line(verdicts: Mapping[Verdict, int], seconds: float | None) -> str:
    """`389 passed, 87 skipped, 12 failed in 143.73s (0:02:23)`; no seconds before it ends."""
    counts = [f"{verdicts[name]} {word}" for name, word in _WORDS.items() if verdicts.get(name)]
    said = ", ".join(counts) or "no cells"
    if seconds is None:
        return said
    minutes, rest = divmod(int(seconds), 60)
    long = f" ({minutes // 60}:{minutes % 60:02}:{rest:02})" if seconds >= 60 else ""
    return f"{said} in {seconds:.2f}s{long}"


def audit_line(found: Audit) -> str:
    """`9,812 carried over; 196 of them run all the same: 0 differ`."""
    line = f"{found.carried:,} carried over from earlier runs"
    if found.audited:
        line += f"; {found.audited:,} more run all the same, to check: {len(found.missed)} differ"
    return line


def schedule_line(found: Schedule) -> str:
    """`312 cells by 2 workers in 480.1 s, 1.03 times the least possible (466.0 s)`."""
    workers = "worker" if found.workers == 1 else "workers"
    return (
        f"{found.cells} cells by {found.workers} {workers} in {found.makespan_s:.1f} s, "
        f"{found.ratio:.2f} times the least possible ({found.bound_s:.1f} s)"
    )


def canary_line(found: Canary) -> str:
    """`canary: 20 cells compared with cold processes: 0 differ`."""
    line = (
        f"canary: {found.compared} cells compared with cold processes: {len(found.differ)} differ"
    )
    if found.not_compared:
        line += f"; {len(found.not_compared)} not compared"
    return line
