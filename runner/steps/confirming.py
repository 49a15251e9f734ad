"""Executes apparent losses again, on head and on baseline, and says what that came to.

- The executions are nobody's attempts: they stand beside their run, whose verdicts stay.
- Each result is in the database as soon as it is there, and its file lies in `reruns/<run>/`: asked
  again after an interrupt, a confirmation goes on where it was. What was executed for one diff is
  there for every other one of the same run.
- The stack is the one that is here. Executions on another one say nothing beside it, so where the
  stack has changed meanwhile, all are made anew.
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Result
from harness.stack import stack
from harness.zoo.base import TESTERS, TRANSFORMERS
from runner.core.confirm import ENOUGH, Confirmation, Side, confirm, lacking, other_versions
from runner.core.diff import Diff, confirmed
from runner.core.limits import LimitRule
from runner.core.plan import costs_of, longest_first
from runner.core.runs import Run, Verdict
from runner.execute.local import run_shard
from runner.execute.shard import Executor
from runner.revisions import Revision, resolve
from runner.revisions.keeping import use_again
from runner.revisions.skips import taken_out
from runner.steps.plans import Plan, held, repair, results_in
from runner.steps.running import Room, shard_of
from runner.store.engine import Engine
from runner.store.reruns import note_reruns, reruns

#: told of each execution: of which side, and what came of it
OnExecution = Callable[[str, Result], None]
_TESTERS = "provider:testers"


def with_confirmations(engine: Engine, found: Diff) -> Diff:
    """The diff with what the executions that are stored came to."""
    asked = [item.cell for item in found.cells if item.confirmation]
    if not asked:
        return found
    before = reruns(engine, found.baseline.id, asked)
    after = reruns(engine, found.head.id, asked)
    sides = {
        cell: _confirmation(found, before.get(cell, []), after.get(cell, []))
        for cell in asked
        if cell in before or cell in after
    }
    return confirmed(found, sides)


def _confirmation(found: Diff, before: Sequence[Result], after: Sequence[Result]) -> Confirmation:
    """Of one cell's executions, newest first: those of the newest stack are compared."""
    newest = (after or before)[0].stack

    def side(run: Run, executions: Sequence[Result]) -> Side:
        return Side(
            executions=tuple(_on(newest, executions)), moved=other_versions(run.stack, newest)
        )

    return confirm(side(found.baseline, before), side(found.head, after))


def _on(here: Mapping[str, str], executions: Iterable[Result]) -> list[Result]:
    return [each for each in executions if not other_versions(each.stack, here)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """How apparent losses are executed again."""

    engine: Engine
    folder: Path
    limits: tuple[LimitRule, ...]
    room: Room
    #: executions on each side
    enough: int = ENOUGH
    #: a git checkout that has the runs' commits, where they are not unpacked here
    checkout: Path | None = None
    executor: Executor = run_shard
    on_execution: OnExecution = lambda side, result: None

    def run(self, found: Diff) -> None:
        """Execute what lacks executions; `MatrixError` if a revision is not to be had here."""
        cells = [item.cell for item in found.cells if item.confirmation]
        sides = {"head": found.head, "baseline": found.baseline}
        plans = {name: self._plan(run, cells) for name, run in sides.items()} if cells else {}
        for name, plan in plans.items():
            with held(plan):
                repair(plan)
                note_reruns(self.engine, sides[name].id, results_in(plan.folder / "shards"))
                self._side(name, sides[name].id, plan, _deaths(found))

    def lack(self, found: Diff) -> int:
        """How many executions are to be made, if none is in vain."""
        cells = [item.cell for item in found.cells if item.confirmation]
        here, lack = stack(), 0
        for run in (found.head, found.baseline):
            there = reruns(self.engine, run.id, cells)
            lack += sum(max(0, self.enough - len(_on(here, there.get(cell, [])))) for cell in cells)
        return lack

    def _side(self, name: str, run_id: int, plan: Plan, deaths: Collection[Cell]) -> None:
        while waiting := self._waiting(run_id, plan):
            attempt, cells = next(iter(waiting.items()))
            # What died runs alone, as where a run retries it; the others first, together.
            together = [cell for cell in cells if cell not in deaths]
            room = self.room if together else dataclasses.replace(self.room, workers=1)
            order = longest_first(together or cells, costs_of(plan.expected))
            shard = shard_of(plan, order, room, attempt=attempt)
            # Of no run, wherever the file is ingested.
            shard = dataclasses.replace(shard, run="")
            came = 0
            for result in self.executor(shard):
                known = result.replace(stack=result.stack or plan.stack)
                note_reruns(self.engine, run_id, [known])
                self.on_execution(name, known)
                came += 1
            if not came:
                raise MatrixError(f"{name}: pytest ended without a result; its log is {shard.log}")

    def _waiting(self, run_id: int, plan: Plan) -> dict[int, list[Cell]]:
        """The cells that lack executions, by the number of their next one."""
        there = reruns(self.engine, run_id, plan.cells)
        waiting: dict[int, list[Cell]] = {}
        for cell in plan.cells:
            known = there.get(cell, [])
            if lacking(_on(plan.stack, known), enough=self.enough):
                number = max((each.attempt for each in known), default=0) + 1
                waiting.setdefault(number, []).append(cell)
        return dict(sorted(waiting.items()))

    def _plan(self, run: Run, cells: Sequence[Cell]) -> Plan:
        """The cells of a run, to be executed as the run did, on the stack that is here."""
        plan = _planned(self.folder, run) or self._drafted(run)
        revision = self._revision(plan)
        return dataclasses.replace(
            plan,
            folder=self.folder / "reruns" / run.uid,
            revision_path=revision.path,
            stack=stack(),
            cells=tuple(cells),
            share=tuple(cells),
            skips={},
        )

    def _revision(self, plan: Plan) -> Revision:
        home = taken_out(plan.revision, cache=self.folder)
        there = [plan.revision_path, home / "src" if home else None]
        if path := next((each for each in there if each and each.is_dir()), None):
            use_again(path, plan.revision)
            return Revision(name=plan.revision, path=path)
        if "." in plan.revision:
            return resolve(plan.revision, cache=self.folder)
        if self.checkout is None:
            raise MatrixError(
                f"commit {plan.revision} is not unpacked here; say where it is with "
                "--checkout path/to/transformers"
            )
        return resolve(f"{self.checkout}@{plan.revision}", cache=self.folder)

    def _drafted(self, run: Run) -> Plan:
        """The plan of a run that was made elsewhere, as far as its results tell."""
        testers = _TESTERS in run.selection.split()
        return Plan(
            uid=run.uid,
            folder=self.folder,
            revision=run.revision,
            revision_path=None,
            stack=run.stack,
            selection=run.selection,
            started_at=datetime.now(UTC),
            cells=(),
            skips={},
            share=(),
            zoo=TESTERS if testers else TRANSFORMERS,
            limits=self.limits,
        )


def _deaths(found: Diff) -> set[Cell]:
    """The cells that died on a side."""
    dead = (Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)
    return {
        item.cell
        for item in found.cells
        for side in (item.before, item.after)
        if side and side.verdict in dead
    }


def _planned(folder: Path, run: Run) -> Plan | None:
    """The plan that a run made here, or a share of it, has left."""
    runs = folder / "runs"
    homes = [runs / run.uid, *sorted(runs.glob(f"{run.uid}.*of*"))]
    return next((Plan.load(home) for home in homes if (home / "run.json").exists()), None)
