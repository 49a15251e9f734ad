"""Goes on behind the first error of the cells that torch.export stops, and keeps what it finds.

Drafts are files beside the runs, a line a cell, so that what was drafted is not drafted again; they
are no results, and nothing of them is in the database. One cell of each model type comes first in
each group, for time may run out.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cells import Cell
from harness.errors import MatrixError
from harness.isolation.messages import Limits
from harness.results import Stage
from harness.stack import stack
from harness.zoo.base import PROVIDERS, TRANSFORMERS
from runner.core.drafts import Draft, drafted
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.unlock import Drafts
from runner.execute.trials import Trials
from runner.revisions import resolve
from runner.store.attempts import attempts_at
from runner.store.engine import Engine

OnDraft = Callable[[Draft, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """Where drafts are made and kept, and what they may take."""

    engine: Engine
    run: Run
    folder: Path
    #: seconds that all of them may take, and one of them
    budget_s: float
    limits: Limits
    memory_mib: int

    @property
    def file(self) -> Path:
        return _file(self.folder, self.run)

    def known(self) -> Drafts:
        """The drafts that were made so far; a line that was being written is none."""
        return known_drafts(self.folder, self.run)

    def go_on(self, verdicts: Sequence[CellVerdict], on_draft: OnDraft) -> None:
        """Draft what is not known yet, until there is nothing left or no time."""
        known = self.known()
        left = [each for each in stopped_at_capture(verdicts) if not _is_known(each, known)]
        if not left:
            return
        self._refuse_other_stack()
        revision = resolve(self.run.revision, cache=self.folder)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        backends = sorted({each.cell.backend for each in left})
        with Trials(backends, revision_path=revision.path, memory_mib=self.memory_mib) as trials:
            until = time.monotonic() + self.budget_s
            for number, each in enumerate(left, start=1):
                if time.monotonic() > until:
                    return
                ended, noted = trials.draft(each.cell, self._zoo(each.cell), self.limits)
                made = drafted(each.cell, each.signature or "", noted, ended)
                with self.file.open("a") as file:
                    file.write(f"{json.dumps(made.to_record())}\n")
                on_draft(made, len(left) - number)

    def _zoo(self, cell: Cell) -> str:
        attempts = attempts_at(self.engine, self.run.id, cell)
        provider = attempts[-1].provider if attempts else ""
        return PROVIDERS.get(provider, TRANSFORMERS)

    def _refuse_other_stack(self) -> None:
        """What another torch would tell explains nothing of this run."""
        here = {**stack(), "transformers": self.run.stack.get("transformers", "")}
        other = [name for name, at in self.run.stack.items() if here.get(name) != at]
        if other:
            told = ", ".join(f"{name} {self.run.stack[name]}" for name in other)
            raise MatrixError(
                f"run {self.run.id} was made with {told}, which is not installed here"
            )


def known_drafts(folder: Path, run: Run) -> Drafts:
    """The drafts of a run's cells that were made so far, by where they are kept."""
    return {each.cell: each for each in _read(_file(folder, run))}


def _file(folder: Path, run: Run) -> Path:
    return folder / "drafts" / f"{run.uid}.jsonl"


def _read(file: Path) -> Iterator[Draft]:
    if file.exists():
        for line in file.read_text().splitlines():
            try:
                yield Draft.of(json.loads(line))
            except (ValueError, KeyError, TypeError, MatrixError):
                continue


def _is_known(failed: CellVerdict, known: Drafts) -> bool:
    return failed.cell in known and known[failed.cell].first == failed.signature


def stopped_at_capture(verdicts: Sequence[CellVerdict]) -> list[CellVerdict]:
    """The cells that a draft may tell more of; the first of each group's model types come first."""
    found = [
        each
        for each in verdicts
        if each.verdict is Verdict.FAIL and each.stage is Stage.CAPTURE and each.signature
        # What an exporter refuses, torch.export never sees.
        if each.kind != "exporter-error"
    ]
    before: Counter[tuple[str | None, str]] = Counter()
    order = []
    for each in sorted(found, key=lambda each: each.duration_s or 0.0):
        key = (each.signature, each.cell.model_type)
        order.append((before[key], each.cell, each))
        before[key] += 1
    return [each for _, _, each in sorted(order, key=lambda entry: entry[:2])]
