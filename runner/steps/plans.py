"""A run as planned, and the files that it leaves: all that `--resume` needs.

A run lives in a folder of its own, `runs/<uid>/`: `run.json` (what was planned), `shards/` (cells,
result lines and log of each pytest invocation), `canary/` (the same of what was run to compare).
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from harness.cells import Cell
from harness.results import Result
from harness.zoo.base import TRANSFORMERS


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

    @property
    def own(self) -> bool:
        """Whether the models are a user's own, whose sources are anywhere."""
        return "/" in self.zoo

    def save(self) -> None:
        """Write `run.json` whole or not at all."""
        record = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)} | {
            "folder": None,
            "revision_path": self.revision_path and str(self.revision_path.resolve()),
            "started_at": self.started_at.isoformat(),
            "cells": [cell.id for cell in self.cells],
            "share": [cell.id for cell in self.share],
            "skips": {cell.id: why for cell, why in self.skips.items()},
            "stack": dict(self.stack),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / "run.json.draft"
        draft.write_text(json.dumps(record, indent=1))
        draft.rename(self.folder / "run.json")

    @classmethod
    def load(cls, folder: Path) -> Self:
        record = json.loads((folder / "run.json").read_text())
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
            }
        )


def result_files(plan: Plan) -> list[Path]:
    """The run's result files."""
    return _whole_files(plan.folder / "shards")


def _whole_files(folder: Path) -> list[Path]:
    """The result files there, without the half line that a killed writer may leave."""
    files = sorted(folder.glob("*.jsonl"))
    for file in files:
        text = file.read_bytes()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.write_bytes(text[:whole])
    return files


def recorded(plan: Plan) -> set[Cell]:
    """The cells that the run's files hold results of."""
    return {Cell.parse(json.loads(line)["cell"]) for line in _lines(result_files(plan))}


def executed(plan: Plan) -> list[Result]:
    """The results of what this run executed: what is carried or skipped stands in other files."""
    return results_in(plan.folder / "shards")


def results_in(folder: Path) -> list[Result]:
    """All results that the files of a folder's shards hold."""
    shards = [file for file in _whole_files(folder) if file.stem.isdecimal()]
    return [Result.from_line(line) for line in _lines(shards)]


def _lines(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        yield from file.read_text().splitlines()
