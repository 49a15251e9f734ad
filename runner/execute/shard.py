"""What an executor is given, and what every executor is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.cells import Cell
from harness.results import Result
from harness.terms import Terms
from harness.zoo.base import TRANSFORMERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A list of cells, and how to run it."""

    cells: Sequence[Cell]
    #: folder that takes `<name>.cells`, `<name>.terms.json`, `<name>.jsonl` and `<name>.log`
    folder: Path
    name: str
    run: str
    revision: str
    #: folder that holds the revision's `transformers`; None for the installed one
    revision_path: Path | None = None
    zoo: str = TRANSFORMERS
    workers: int = 1
    #: what each cell may take, and is expected to take
    terms: Mapping[Cell, Terms] = field(default_factory=dict)
    #: MiB that its cells may take together; None for what the machine has that runs it
    memory_mib: int | None = None
    attempt: int = 1
    #: the dynamic shapes that a user gives, as TOML
    dynamic_shapes: str = ""
    #: each cell in a process of its own, where nothing is warm
    cold: bool = False

    @property
    def results(self) -> Path:
        return self.folder / f"{self.name}.jsonl"

    @property
    def terms_file(self) -> Path:
        return self.folder / f"{self.name}.terms.json"

    @property
    def notice(self) -> Path:
        """Where an executor that can tells which cells run now (`messages.started_now`)."""
        return self.folder / f"{self.name}.running"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def shapes(self) -> Path | None:
        return self.folder / "dynamic-shapes.toml" if self.dynamic_shapes else None


class Executor(Protocol):
    """Runs a shard, wherever: results are yielded as they come, and stand in its results file.

    What is not yielded was not run, or is run again on resume.
    """

    def __call__(self, shard: Shard) -> Iterator[Result]: ...
