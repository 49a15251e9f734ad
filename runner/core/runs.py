"""What is known of a run as a whole, and of a cell within it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from harness.cells import Cell
from harness.results import Stage
from runner.core.schedule import Schedule

#: what the selection of a run for pull requests begins with
PULLS = "of pull requests: "


class Verdict(StrEnum):
    """A cell's attempts folded into one: an outcome, or `flaky` (mixed), or `missing` (none)."""

    PASS = "pass"  # noqa: S105  (a word of the glossary, no password)
    FAIL = "fail"
    CRASH = "crash"
    TIMEOUT = "timeout"
    OOM = "oom"
    SKIP = "skip"
    ERROR = "error"
    FLAKY = "flaky"
    MISSING = "missing"


# A run has ten thousand: to make a frozen one takes ten times as long. Nobody changes one.
@dataclass(slots=True, unsafe_hash=True)
class CellVerdict:
    """One cell of one run: its verdict and what represents it."""

    cell: Cell
    verdict: Verdict
    stage: Stage | None = None
    kind: str | None = None
    #: who owns the kind by its rule; `runner.core.owner` knows more
    owner: str | None = None
    signature: str | None = None
    title: str | None = None
    #: why a skip or an error, in one line
    reason: str | None = None
    #: the representing attempt's kind is not to be trusted at once (timeout, oom, crash)
    suspect: bool = False
    attempts: int = 0
    duration_s: float | None = None
    peak_rss_bytes: int | None = None
    #: CPU seconds of all attempts
    cpu_s: float | None = None
    planned_bytes: int | None = None
    max_abs_diff: float | None = None
    #: seconds of capturing and lowering
    export_s: float | None = None
    #: of all components' graphs
    graph_nodes: int | None = None
    carried_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How carrying results over from earlier runs did in a run."""

    carried: int
    #: cells that could have been carried, and were run to check it
    audited: int
    #: of those, the ones whose outcome was another: something that decides it was not seen
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """How forked cells compared with the same cells in cold processes."""

    #: ids of the cells that came to the same, byte for byte
    same: Sequence[str] = ()
    #: cell id -> what is different: an error of ours
    differ: Mapping[str, str] = field(default_factory=dict)
    #: cell id -> why it says nothing
    not_compared: Mapping[str, str] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        return len(self.same) + len(self.differ)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCell:
    """A cell that runs now."""

    cell: str
    attempt: int
    stage: Stage | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a run, or one machine's share of it, goes."""

    done: int
    expected: int
    verdicts: Mapping[Verdict, int]
    #: cells a minute
    per_minute: float | None = None
    #: seconds that are left
    eta_s: float | None = None
    #: the slowest of the cells that run now, the slowest first
    running: tuple[RunningCell, ...] = ()
    at: datetime
    #: False once it was interrupted
    going: bool = True
    #: of the canary, once it runs: cells compared with cold processes so far, and of how many
    canary: tuple[int, int] | None = None

    def to_record(self) -> dict[str, Any]:
        return asdict(self) | {"at": self.at.isoformat()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        running = (
            RunningCell(**each | {"stage": each["stage"] and Stage(each["stage"])})
            for each in record["running"]
        )
        read = {
            "verdicts": {Verdict(name): count for name, count in record["verdicts"].items()},
            "running": tuple(running),
            "at": datetime.fromisoformat(record["at"]),
            "canary": tuple(record.get("canary") or ()) or None,
        }
        return cls(**dict(record) | read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pass of (a selection of) the matrix at a revision and a stack."""

    #: number in this database, the one in URLs
    id: int
    #: unique everywhere, the one in result lines, `20261123T141500-5.23.0-3f9a`
    uid: str
    revision: str
    #: of Transformers; None of a release, and where nobody knows
    branch: str | None = None
    stack: Mapping[str, str]
    #: what was asked for, as typed
    selection: str
    started_at: datetime
    closed_at: datetime | None = None
    expected: int = 0
    #: verdict -> cells; `missing` among them
    verdicts: Mapping[Verdict, int] = field(default_factory=dict)
    duration_s: float | None = None
    audit: Audit | None = None
    canary: Canary | None = None
    #: while it goes on, as each machine that works on it last told
    progress: tuple[Progress, ...] = ()
    #: of the pass that executed most of it
    schedule: Schedule | None = None

    @property
    def of_pulls(self) -> bool:
        """Whether it was run for pull requests, maybe of old code."""
        return self.selection.startswith(PULLS)

    @property
    def received(self) -> int:
        """Cells with at least one result."""
        return sum(self.verdicts.values()) - self.verdicts.get(Verdict.MISSING, 0)

    @property
    def filled(self) -> bool:
        """Every expected cell has a result. An empty run is not filled."""
        return self.received >= self.expected > 0

    @property
    def complete(self) -> bool:
        """Filled, and closed: no suspect is still to be retried."""
        return self.filled and self.closed_at is not None

    @property
    def doubtful(self) -> bool:
        """The canary found that what a zygote inherits decides results: none can be trusted."""
        return self.canary is not None and bool(self.canary.differ)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """All results that share a signature."""

    signature: str
    title: str
    kind: str
    #: by the kind's rule, or by `evidence`
    owner: str
    stage: Stage | None = None
    #: why the owner is the owner, where its cells were asked
    evidence: str | None = None
    #: cells that turn green if it is fixed, where that was asked
    unlocks: int | None = None
    #: cells of the run (or of all runs) that it was asked for
    cells: int = 0
    #: ids of the first and last run it was seen in
    first_run: int | None = None
    last_run: int | None = None
