"""A run as planned, and the files that it leaves: all that `--resume` needs.

A run lives in a folder of its own, `runs/<uid>/`: `run.json` (what was planned), `shards/` (cells,
result lines and log of each pytest invocation), `canary/` (the same of what was run to compare).

1. One runner at a time has a run. It holds a lock on `run.lock`, which its death lets go of.
2. Who may write a file of result lines holds a lock on it. A runner that resumes waits for pytest
   of the one that died, which the kernel ends with it, before it touches any.
3. A result is a line of JSON. What is none (the half line, or the zeros, that a death leaves at the
   end of a file) is no result: a resume moves it into `<name>.damaged`, and its cell runs again.
   A line of JSON that is no result of this version is refused instead: it is not ours to drop.
"""

import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import orjson

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Result
from harness.zoo.base import TRANSFORMERS
from runner.core.limits import LimitRule, project_rules
from runner.core.plan import Expected, shards
from runner.durable import write_whole

_PATIENCE_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run as planned; its JSON form is all that `--resume` needs."""

    uid: str
    folder: Path
    revision: str
    revision_path: Path | None
    stack: Mapping[str, str]
    selection: str
    started_at: datetime
    cells: tuple[Cell, ...]
    #: cells that can't run here, and why
    skips: Mapping[Cell, str]
    #: cells for this machine, a share of `cells` with `--shard I/N`
    share: tuple[Cell, ...]
    zoo: str = TRANSFORMERS
    #: the dynamic shapes that a user gives, as TOML
    dynamic_shapes: str = ""
    #: of Transformers, where it is known
    branch: str | None = None
    #: what each cell of the run is expected to take
    expected: Mapping[Cell, Expected] = field(default_factory=dict)
    #: what cells may take: a user's rules, then the project's
    limits: tuple[LimitRule, ...] = field(default_factory=project_rules)

    @property
    def own(self) -> bool:
        """Whether the models are a user's own, whose sources are anywhere."""
        return "/" in self.zoo

    def shared(self, number: int, count: int, *, costs: Mapping[str, float]) -> Self:
        """One machine's share, in a folder of its own: the same wherever the costs are the same."""
        share = tuple(shards(self.cells, costs=costs, count=count)[number - 1])
        folder = self.folder.with_name(f"{self.uid}.{number}of{count}")
        return self if count == 1 else dataclasses.replace(self, share=share, folder=folder)

    def save(self) -> None:
        """Write `run.json` whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "run.json", json.dumps(self.to_record(), indent=1).encode())

    def to_record(self) -> dict[str, Any]:
        """As JSON has it; without the folder that it lies in."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self)} | {
            "folder": None,
            "revision_path": self.revision_path and str(self.revision_path.resolve()),
            "started_at": self.started_at.isoformat(),
            "cells": [cell.id for cell in self.cells],
            "share": [cell.id for cell in self.share],
            "skips": {cell.id: why for cell, why in self.skips.items()},
            "stack": dict(self.stack),
            "expected": {cell.id: [each.seconds, each.mib] for cell, each in self.expected.items()},
            "limits": [dataclasses.asdict(rule) for rule in self.limits],
        }

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The plan in that folder; `MatrixError` if another version wrote it."""
        try:
            return cls.from_record(folder, json.loads((folder / "run.json").read_text()))
        except (ValueError, KeyError, TypeError) as error:
            raise MatrixError(
                f"{folder / 'run.json'} is no plan of this version ({error!r}); start a new run"
            ) from None

    @classmethod
    def from_record(cls, folder: Path, record: dict[str, Any]) -> Self:
        """What `to_record` gave, in that folder."""
        path = record["revision_path"]
        return cls(
            **record
            | {
                "folder": folder,
                "revision_path": None if path is None else Path(path),
                "started_at": datetime.fromisoformat(record["started_at"]),
                "cells": tuple(map(Cell.parse, record["cells"])),
                "share": tuple(map(Cell.parse, record["share"])),
                "skips": {Cell.parse(cell): why for cell, why in record["skips"].items()},
                "expected": {
                    Cell.parse(cell): Expected(seconds=seconds, mib=mib)
                    for cell, (seconds, mib) in record["expected"].items()
                },
                "limits": tuple(LimitRule(**rule) for rule in record["limits"]),
            }
        )


@contextmanager
def held(plan: Plan) -> Iterator[None]:
    """Have a run to oneself; `MatrixError` names the process that has it."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    with (plan.folder / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise MatrixError(
                f"run {plan.uid} is being run by process {lock.read().strip() or 'unknown'};"
                " stop that one, or wait for its end"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def result_files(plan: Plan) -> list[Path]:
    """The run's result files."""
    return sorted((plan.folder / "shards").glob("*.jsonl"))


def recorded(plan: Plan) -> set[Cell]:
    """The cells that the run's files hold results of."""
    return {Cell.parse(record["cell"]) for record in _records(result_files(plan))}


def results_of(plan: Plan) -> Iterator[Result]:
    """All results that the run's files hold, one by one."""
    return (Result.from_record(record) for record in _records(result_files(plan)))


def executed(plan: Plan) -> list[Result]:
    """The results of what this run executed: what is carried or skipped stands in other files."""
    return results_in(plan.folder / "shards")


def results_in(folder: Path) -> list[Result]:
    """All results that the files of a folder's shards hold."""
    shards = [file for file in sorted(folder.glob("*.jsonl")) if file.stem.isdecimal()]
    return [Result.from_record(record) for record in _records(shards)]


def repair(plan: Plan) -> None:
    """Leave nothing but records in the run's files of results, once nobody writes them."""
    for file in sorted(plan.folder.glob("*/*.jsonl")):
        _wait_for_writers(file)
        content = file.read_bytes()
        lines = [line for line in content.split(b"\n") if line]
        kept = b"".join(line + b"\n" for line in lines if _record(line))
        if kept != content:
            damaged = b"".join(line + b"\n" for line in lines if not _record(line))
            if damaged:
                with file.with_suffix(".damaged").open("ab") as out:
                    out.write(damaged)
            write_whole(file, kept)


def unused_name(folder: Path) -> str:
    """The next number of a shard: what an interrupted one left is never written again."""
    taken = [int(file.stem) for file in folder.glob("[0-9]*.*") if file.stem.isdecimal()]
    return f"{max(taken, default=-1) + 1:03d}"


def _records(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open("rb") as lines:
            for line in lines:
                if record := _record(line):
                    yield record


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line holds, if it is whole: no part of a JSON object is one itself."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _wait_for_writers(file: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    with file.open() as ours:
        while True:
            try:
                return fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise MatrixError(
                        f"pytest of the interrupted run still writes {file}; end it, and try again"
                    ) from None
                time.sleep(_POLL_S)
