"""What a run is told as: one object, of which Markdown, HTML, mail and JSON are renderings.

Its state, by the first that holds:

1. `incomplete`  results are missing, suspects are still to be retried, or the canary differs: never
                 told as good, whatever else is there;
2. `lost`        something that the baseline could do is gone, or may be;
3. `doubtful`    something that passed ends in a way that is not trusted;
4. `alone`       there is no baseline, so that nothing is said of losses;
5. `clean`       everything was run, on both sides, and nothing is lost.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runner.core.report.reasons import Count


class State(StrEnum):
    """How a run stands."""

    INCOMPLETE = "incomplete"
    LOST = "lost"
    DOUBTFUL = "doubtful"
    ALONE = "alone"
    CLEAN = "clean"

    @property
    def good(self) -> bool:
        return self is State.CLEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A run, as its report names it."""

    id: int
    uid: str
    revision: str
    selection: str
    started_at: datetime
    duration_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A cell that changed."""

    cell: str
    #: `✅ ⟹ ❌`
    arrow: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that changed alike and fail alike."""

    signature: str | None = None
    title: str | None = None
    #: whose it is, with the evidence
    owner: str | None = None
    #: what people said of it: state, who cares, issue, mute
    said: str | None = None
    issue: str | None = None
    muted: bool = False
    count: int
    #: the first of those that no other one explains
    items: tuple[Item, ...]
    #: how many cells the items don't tell
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One class of changes, counted."""

    name: str
    title: str
    count: int
    groups: tuple[Group, ...] = ()

    @property
    def muted(self) -> int:
        """How many of its cells are in muted groups."""
        return sum(group.count for group in self.groups if group.muted)

    @property
    def told(self) -> str:
        """The title, and how many are muted, after the count."""
        return self.title + (f", {self.muted:,} of them in muted groups" if self.muted else "")

    @property
    def heading(self) -> str:
        """`12 regressed, 3 of them in muted groups`."""
        return f"{self.count:,} {self.told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """An entry of known failures that nothing is left of."""

    place: str
    cells: str
    reason: str
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a cell took."""

    cell: str
    amount: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A package of the stack; `before` is the baseline's, where it is another."""

    name: str
    version: str
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A number of a cell that passes on both sides, and moved beyond its noise."""

    cell: str
    #: `export time 2.1 s -> 4.0 s, 1.9 times (noise 0.1 s; 5 and 3 runs)`
    told: str
    worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run is told as."""

    state: State
    headline: str
    #: what is not there, or not to be relied on, in a sentence each
    lacking: tuple[str, ...]
    run: Side
    baseline: Side | None
    #: in pytest's words
    summary: str
    expected: int
    received: int
    #: other stacks, reuse, schedule and canary, in a line each
    notes: tuple[str, ...]
    skips: tuple[Count, ...]
    #: by kind
    failures: tuple[Count, ...]
    sections: tuple[Section, ...]
    #: all of them
    moved: tuple[Moved, ...]
    #: numbers that are apart, in too few runs to tell
    unsure: int
    stale: tuple[Stale, ...]
    slowest: tuple[Cost, ...]
    #: by resident memory, and by what their programs plan
    biggest: tuple[Cost, ...]
    largest_plans: tuple[Cost, ...]
    versions: tuple[Version, ...]
