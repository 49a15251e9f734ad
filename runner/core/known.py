"""Known failures: what is expected of a cell, and how what it came to compares with that.

A known failure still runs; only its telling changes, and it is checked both ways:

1. What a row doesn't name isn't asked. One that names a stage or a kind but no outcome means
   `fail`; one that names nothing (an entry of a skip list) takes any failure.
2. A pass is `better`, and so is a failure at a later stage or in place of an expected death.
3. Any other failure past `expires_on` is `expired`.
4. An unexpected death, an earlier stage and another kind are `worse`, the rest `as-expected`.
5. What says nothing of the failure (no result, an error of ours, a skip, flaky) is `unknown`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from harness.cells import Cell
from harness.results import Outcome, Stage
from runner.core.runs import CellVerdict, Verdict

_SAYS_NOTHING = (Verdict.MISSING, Verdict.ERROR, Verdict.SKIP, Verdict.FLAKY)


class Standing(StrEnum):
    """How a cell stands with a known failure, the worst first; the later ones are of entries.

    Of an entry it is what is worst among its cells, unless all that say anything pass.
    """

    WORSE = "worse"
    EXPIRED = "expired"
    BETTER = "better"
    AS_EXPECTED = "as-expected"
    UNKNOWN = "unknown"
    #: all that it means was run, and passes
    STALE = "stale"
    #: it means no cell of a run over all classes
    UNMATCHED = "unmatched"
    #: all of it that was run passes, and there is more
    PASSING = "passing"
    #: the run did not mean to run its cells
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFailure:
    """One row: which cells, what is expected of them, and until when."""

    #: SELECT over cells
    cells: str
    reason: str
    #: as a reader finds it
    file: str
    line: int
    last_line: int
    outcome: Outcome | None = None
    stage: Stage | None = None
    kind: str | None = None
    link: str | None = None
    added_on: date | None = None
    expires_on: date | None = None
    #: from a Transformers checkout's own skip lists
    upstream: bool = False

    @property
    def place(self) -> str:
        """`known_failures.toml:12-19`: the lines to remove."""
        more = f"-{self.last_line}" if self.last_line > self.line else ""
        return f"{self.file}:{self.line}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCell:
    """A cell that a row means, and how it stands."""

    found: CellVerdict
    row: KnownFailure
    standing: Standing
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row and all the cells of a run that it means."""

    row: KnownFailure
    standing: Standing
    cells: tuple[KnownCell, ...] = ()
    #: what it means of the same classes and the run did not mean to run: `forward-dynamic (onnx)`
    unseen: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[Standing, int]:
        counted = Counter(cell.standing for cell in self.cells)
        return {standing: counted[standing] for standing in Standing if counted[standing]}

    @property
    def passing(self) -> int:
        return sum(cell.found.verdict is Verdict.PASS for cell in self.cells)

    @property
    def judged(self) -> int:
        """Its cells that say anything."""
        return sum(cell.standing is not Standing.UNKNOWN for cell in self.cells)

    @property
    def stale(self) -> bool:
        """Whether nothing is left of it."""
        return self.standing in (Standing.STALE, Standing.UNMATCHED)

    @property
    def advice(self) -> str | None:
        """What to do with the entry."""
        match self.standing:
            case Standing.STALE | Standing.UNMATCHED:
                return "remove this entry"
            case Standing.PASSING:
                return f"remove this entry once these pass too: {', '.join(self.unseen)}"
            case _ if self.passing:
                return f"narrow this entry: {self.passing} of {self.judged} cells pass"
            case Standing.BETTER:
                return "rewrite this entry: it comes further"
            case Standing.EXPIRED:
                return f"renew or remove this entry: expired on {self.row.expires_on}"
            case _:
                return None

    def to_json(self) -> dict[str, Any]:
        """An entry of `known --json`."""
        row = self.row
        return {
            "place": row.place,
            "cells": row.cells,
            "expected": {"outcome": row.outcome, "stage": row.stage, "kind": row.kind},
            "reason": row.reason,
            "link": row.link,
            "added_on": row.added_on,
            "expires_on": row.expires_on,
            "upstream": row.upstream,
            "standing": self.standing,
            "stale": self.stale,
            "unseen": self.unseen,
            "advice": self.advice,
            "counts": self.counts,
            "found": [
                {
                    "cell": cell.found.cell.id,
                    "verdict": cell.found.verdict,
                    "stage": cell.found.stage,
                    "kind": cell.found.kind,
                    "standing": cell.standing,
                    "why": cell.why,
                }
                for cell in self.cells
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Every row, judged by a run."""

    entries: tuple[Entry, ...] = ()
    #: what tells of a cell: the first row that means it
    cells: Mapping[Cell, KnownCell] = field(default_factory=dict)

    @property
    def counts(self) -> dict[Standing, int]:
        """standing -> cells, counted once each."""
        counted = Counter(cell.standing for cell in self.cells.values())
        return {standing: counted[standing] for standing in Standing if counted[standing]}

    @property
    def entry_counts(self) -> dict[Standing, int]:
        counted = Counter(entry.standing for entry in self.entries)
        return {standing: counted[standing] for standing in Standing if counted[standing]}

    def standing(self, standing: Standing) -> tuple[Entry, ...]:
        """The entries that stand like this."""
        return tuple(entry for entry in self.entries if entry.standing is standing)


def stand(row: KnownFailure, found: CellVerdict, today: date) -> tuple[Standing, str]:
    """How a cell stands with a row that means it, and why."""
    if found.verdict in _SAYS_NOTHING:
        return Standing.UNKNOWN, f"{found.verdict}: says nothing of it"
    if found.verdict is Verdict.PASS:
        return Standing.BETTER, "passes"
    moved, why = _moved(row, found)
    if moved > 0:
        return Standing.BETTER, why
    if row.expires_on is not None and today > row.expires_on:
        return Standing.EXPIRED, f"expired on {row.expires_on}"
    return (Standing.WORSE if moved < 0 else Standing.AS_EXPECTED), why


def _moved(row: KnownFailure, found: CellVerdict) -> tuple[int, str]:
    """Whether a failure is further (1), as the row says (0), or not (-1), and in what."""
    outcome = row.outcome or (Outcome.FAIL if row.stage or row.kind else None)
    stages = _stages(row, found)
    if outcome is not None and outcome.value != found.verdict.value:
        lost = found.verdict is not Verdict.FAIL or stages < 0
        return (-1 if lost else 1), f"{found.verdict} instead of {outcome}"
    if stages:
        return stages, f"stops at {found.stage or 'no known stage'} instead of {row.stage}"
    if row.kind is not None and row.kind != found.kind:
        return -1, f"kind {found.kind} instead of {row.kind}"
    return 0, "as the entry says"


def _stages(row: KnownFailure, found: CellVerdict) -> int:
    if row.stage is None:
        return 0
    if found.stage is None:
        return -1
    return (found.stage.order > row.stage.order) - (found.stage.order < row.stage.order)
