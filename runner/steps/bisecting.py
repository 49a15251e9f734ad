"""Finds the first revision at which a cell is bad: a run of that one cell, revision after revision.

Each probe is a run like any other, in the database: asked again, a bisect goes on from what is
there, and with a probe that was interrupted. What it found is kept with the cell. Good is a pass;
bad is whatever ended the export; a revision that doesn't import, doesn't have the class, or at
which the case can't be built, can't tell.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.cells import Cell
from harness.errors import MatrixError
from harness.stack import stack
from runner.core.bisect import Answer, Bisected, Found, Try, bisect
from runner.core.limits import LimitRule
from runner.core.runs import CellVerdict, Verdict
from runner.revisions import resolve
from runner.revisions.lines import Line
from runner.steps import running
from runner.steps.running import Room
from runner.steps.selecting import Asked, select
from runner.store import history
from runner.store.bisects import note_bisect
from runner.store.engine import Engine

#: the answer to a probe, and why if it can't tell
OnAnswer = Callable[[Try, Answer, str], None]
_ANSWERS = {
    Verdict.PASS: Answer.GOOD,
    Verdict.FAIL: Answer.BAD,
    Verdict.CRASH: Answer.BAD,
    Verdict.TIMEOUT: Answer.BAD,
    Verdict.OOM: Answer.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """One cell, looked at along one line of revisions."""

    engine: Engine
    asked: Asked
    cell: Cell
    line: Line
    limits: tuple[LimitRule, ...]
    folder: Path

    def run(self, on_answer: OnAnswer) -> Bisected:
        """Ask until the first bad revision is known, and keep it.

        `MatrixError` if the ends are not as said.
        """
        answers: dict[str, Answer] = {}
        first, last = self.line.names[0], self.line.names[-1]
        for name, expected in ((first, Answer.GOOD), (last, Answer.BAD)):
            answers[name], why = self._answer(name)
            if answers[name] is not expected:
                raise MatrixError(f"{name} is not {expected}: {self.cell.id} is {why} there")
        while isinstance(step := bisect(self.line.names, answers), Try):
            answers[step.revision], why = self._answer(step.revision)
            on_answer(step, answers[step.revision], why)
        found = self._told(step)
        note_bisect(self.engine, found)
        return found

    def _answer(self, name: str) -> tuple[Answer, str]:
        found = self._known(name)
        if found is None:
            try:
                found = self._probe(name)
            except MatrixError as error:
                return Answer.SKIP, str(error)
        if found is None:
            return Answer.SKIP, "the run was interrupted"
        told = found.title or found.reason
        why = f"{found.verdict}: {told}" if told else f"{found.verdict}"
        return _ANSWERS.get(found.verdict, Answer.SKIP), why

    def _known(self, name: str) -> CellVerdict | None:
        return history.newest_verdict(self.engine, self.cell, name, stack=stack())

    def _probe(self, name: str) -> CellVerdict | None:
        revision = resolve(self.line.spelled(name), cache=self.folder)
        asked = replace(self.asked, words=(self.cell.id,), backends=(self.cell.backend,))
        selected = select(asked, revision_path=revision.path)
        uid = self._uid(name)
        if (self.folder / "runs" / uid / "run.json").exists():
            plan = running.resume(self.engine, uid, folder=self.folder)
        else:
            plan = running.start(
                self.engine,
                selected,
                replace(revision, name=name),
                folder=self.folder,
                drafted={
                    "selection": f"bisect {self.cell.id}",
                    "zoo": self.asked.zoo,
                    "uid": uid,
                },
                limits=self.limits,
            )
        running.execute(self.engine, plan, Room())
        return self._known(name)

    def _uid(self, name: str) -> str:
        """The name of a probe's run: the same when it is asked again with the same stack."""
        asked = f"{self.cell.id} {self.asked.zoo} {sorted(_others().items())} {self.limits}"
        return f"bisect-{name}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"

    def _told(self, found: Found) -> Bisected:
        last = self._known(found.candidates[-1])
        return Bisected(
            cell=self.cell,
            names=found.candidates,
            told=tuple(map(self.line.told, found.candidates)),
            title=last.title if last else None,
            good=self.line.names[0],
            bad=self.line.names[-1],
            stack=_others(),
            ended_at=datetime.now(UTC),
        )


def _others() -> Mapping[str, str]:
    """The stack without what the revisions say."""
    return {package: at for package, at in stack().items() if package != "transformers"}
