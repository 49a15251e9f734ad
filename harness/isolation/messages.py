"""What controller, workers, zygote and children say to each other: JSON, a line each.

A worker sends one `Request` and gets one result line. A child sends `stage` messages and one
`result`. A child runs untrusted code and shares its pipe with it: what can't be read is ignored.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Result, Stage
from harness.terms import Terms

SOCKET = "socket"
READY = "ready"
FAILED = "failed"
WARNINGS = "warnings"
LOG = "zygote.log"
CELLS = "cells"

#: exit status of a zygote that would fail the same way again
HOPELESS = 2
#: exit status of a zygote whose memory grew past its bound, once its last child had ended
GROWN = 3
#: How much a zygote may grow once it is warm. It only keeps books, so it should not grow at all: a
#: library that leaks at each fork does it. What it grew by is in every child and in no limit, and a
#: replacement costs a warm-up (half a minute), so an eighth of a cell's usual limit is let pass.
GROWTH_BYTES = 512 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an attempt may take."""

    time_s: float = 300
    #: resident memory over that of the zygote it was forked from
    memory_bytes: int = 4096 << 20

    @classmethod
    def of(cls, terms: Terms) -> Self:
        return cls(time_s=terms.time_limit_s, memory_bytes=terms.memory_limit_mib << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One attempt, as a worker asks for it."""

    cell: Cell
    attempt: int = 1
    limits: Limits = field(default_factory=Limits)
    #: what it is expected to take of memory, which is kept for it while it runs
    expected_bytes: int = 0

    def to_line(self) -> str:
        return json.dumps({**asdict(self), "cell": self.cell.id})

    @classmethod
    def from_line(cls, line: str) -> Self:
        record = json.loads(line)
        known = {"cell": Cell.parse(record["cell"]), "limits": Limits(**record["limits"])}
        return cls(**record | known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a zygote is started with."""

    zoo: str
    #: backends to warm up
    backends: Sequence[str]
    #: private folder of this host: the socket, the zygote's log, one folder per running cell
    folder: str
    #: the listening socket, inherited
    listener: int
    #: process id of the controller; the zygote ends with it
    parent: int
    #: zoo whose case warms it up, where its own cases are not for that
    like: str | None = None
    #: file of dynamic shapes that a user gives
    shapes: str | None = None
    #: resident memory that it may add to what it had when it was warm
    growth_bytes: int = GROWTH_BYTES
    #: memory that all cells may take together
    memory_bytes: int
    #: stay cold: each child becomes a process of its own, that inherits nothing
    cold: bool = False
    #: file that tells which cells run
    notice: str | None = None

    def to_line(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_line(cls, line: str) -> Self:
        return cls(**json.loads(line))

    def path(self, name: str) -> Path:
        return Path(self.folder, name)


@dataclass(frozen=True, slots=True)
class Entered:
    """A stage began, on the monotonic clock that all processes share."""

    stage: Stage
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A cell that runs now, as the zygote tells in its notice."""

    cell: Cell
    attempt: int
    #: None until it has entered one
    stage: Stage | None
    #: seconds of the Unix clock
    since: float


def started_now(path: Path) -> Sequence[Started]:
    """The cells that run by that file; none if it isn't there, or says nothing that makes sense."""
    try:
        return [
            Started(
                cell=Cell.parse(each["cell"]),
                attempt=int(each["attempt"]),
                stage=Stage(each["stage"]) if each["stage"] else None,
                since=float(each["since"]),
            )
            for each in json.loads(path.read_text())
        ]
    except (OSError, ValueError, TypeError, KeyError, MatrixError):
        return []


def stage_message(stage: Stage, at: float) -> bytes:
    return json.dumps({"stage": stage, "at": at}).encode() + b"\n"


def result_message(result: Result) -> bytes:
    return json.dumps({"result": result.to_line()}).encode() + b"\n"


def read_message(line: bytes) -> Entered | Result | None:
    """What a child said, or None if it makes no sense."""
    try:
        record = json.loads(line)
        if "result" in record:
            return Result.from_line(record["result"])
        return Entered(Stage(record["stage"]), float(record["at"]))
    except (ValueError, TypeError, KeyError, MatrixError):
        return None
