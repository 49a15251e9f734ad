"""A nightly: for each stack a run of the day's revision, confirmed, compared, reported and told.

- Everything can be repeated: a night's run is found by its name, goes on where it was, and is told
  to nobody twice, unless it came to something else meanwhile.
- One process at a time has a night; a second waits for it and finds it done. A night that another
  machine runs into the same database is waited for too.
- Each stack has a folder of its own: what a revision requires beside it is another there.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from harness.errors import SelectionError
from runner.core.nights import HERE, Night, Told, beside_line, in_vain, last_complete, told_of
from runner.core.progress import State as Going
from runner.core.progress import state_of
from runner.core.report.told import Report
from runner.core.runs import Run
from runner.execute.stacks import run_command
from runner.steps.comparing import compare_runs
from runner.steps.reporting import report_of
from runner.steps.telling import tell, write_report
from runner.store import reads
from runner.store.engine import Engine
from runner.store.nights import nights

_POLL_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nightly:
    """What is to be run, where, and who says how it goes."""

    engine: Engine
    folder: Path
    day: date
    #: as `run --revision` takes it, pinned: a branch may move while stacks are run
    revision: str
    #: as results call it
    name: str
    #: stack -> its Python
    stacks: Mapping[str, Path]
    #: SELECT and options of `run` and `plan`
    words: Sequence[str]
    #: options of `run` alone
    room: Sequence[str] = ()
    #: options of `confirm`; None for no confirmation
    confirm: Sequence[str] | None
    #: the variables of the commands
    variables: Mapping[str, str]
    say: Say = lambda line: None

    def run(self) -> Iterator[Told]:
        """Each stack's night, one after the other; `MatrixError` of one does not stop the next."""
        first: Run | None = None
        for stack in self.stacks:
            night = Night(stack=stack, day=self.day, revision=self.name)
            home = self.home(night)
            home.mkdir(parents=True, exist_ok=True)
            with alone(home / "lock", self.say):
                problems = self._execute(night, home)
                with suppress(SelectionError):
                    first = first or reads.run(self.engine, night.uid)
                yield tell_night(self.engine, night, home, problems=problems, beside=first)

    def home(self, night: Night) -> Path:
        """Where a night's logs, reports and letters are kept."""
        return self.folder / "nightly" / night.uid

    def _execute(self, night: Night, home: Path) -> tuple[str, ...]:
        """Run what the night lacks, and confirm; what went wrong."""
        run = found(self.engine, night)
        cells = self._cells_folder(night) / "runs" / night.uid
        if run and not run.complete and not cells.exists():
            return self._join(run)
        if not (run and run.complete):
            _wait_for_runner(cells / "run.lock")
            self.say(f"{night.uid}: running; log {home / 'run.log'}")
            again = ["run", "--resume", night.uid]
            words = again if (cells / "run.json").exists() else self._first(night)
            if code := self.command(night, words, home / "run.log"):
                # A pytest or a zygote may have died: once more, with what is left.
                left = found(self.engine, night)
                if left and not left.complete:
                    code = self.command(night, again, home / "run.log")
            if code > 1:
                return (f"run ended with exit code {code}: {last_line(home / 'run.log')}",)
        return self.confirmed(night, home)

    def _first(self, night: Night) -> list[str]:
        return ["run", *self.words, *self.room, "--revision", self.revision, "--name", night.uid]

    def confirmed(self, night: Night, home: Path) -> tuple[str, ...]:
        """Have apparent losses executed again; what went wrong."""
        run = reads.run(self.engine, night.uid)
        baseline = last_complete(run, nights(self.engine, stack=night.stack))
        if self.confirm is None or baseline is None or not run.received:
            return ()
        sides = str(baseline.id), str(run.id)
        if not compare_runs(self.engine, *sides).unconfirmed:
            return ()
        self.say(f"{night.uid}: executing apparent losses again; log {home / 'confirm.log'}")
        words = ["confirm", *sides, *self.confirm]
        if code := self.command(night, words, home / "confirm.log"):
            return (f"confirm ended with exit code {code}: {last_line(home / 'confirm.log')}",)
        return ()

    def _join(self, run: Run) -> tuple[str, ...]:
        """Wait for the machine that runs the night."""
        self.say(f"{run.uid}: another machine runs it; waiting")
        while not run.complete:
            now = datetime.now(UTC)
            if (
                state_of(run.progress, closed=run.closed_at is not None, now=now)
                is not Going.RUNNING
            ):
                return ("another machine began it, and says nothing any more",)
            time.sleep(_POLL_S)
            run = reads.run(self.engine, run.uid)
        return ()

    def command(self, night: Night, words: Sequence[str], log: Path) -> int:
        """Exit code of one of our commands on the night's stack."""
        folder = {"EXPORT_MATRIX_FOLDER": str(self._cells_folder(night).resolve())}
        python = self.stacks[night.stack]
        return run_command(python, words, variables={**self.variables, **folder}, log=log)

    def _cells_folder(self, night: Night) -> Path:
        return self.folder if night.stack == HERE else self.folder / "stacks" / night.stack


def tell_night(
    engine: Engine,
    night: Night,
    home: Path,
    *,
    problems: tuple[str, ...] = (),
    beside: Run | None = None,
) -> Told:
    """Compare a night's run with the last complete one, write its report, and tell it."""
    try:
        run = reads.run(engine, night.uid)
    except SelectionError:
        told, report = in_vain(night, "; ".join(problems) or "the run was not begun"), None
    else:
        baseline = last_complete(run, nights(engine, stack=night.stack))
        report = _report(engine, run, baseline, problems=problems, beside=beside)
        told = told_of(night, report)
        write_report(report, home)
    return replace(told, untold=tell(told, report, home))


def _report(
    engine: Engine,
    run: Run,
    baseline: Run | None,
    *,
    problems: tuple[str, ...],
    beside: Run | None,
) -> Report:
    notes = []
    if beside is not None and beside.id != run.id:
        other = Night.of(beside)
        found = compare_runs(engine, str(beside.id), str(run.id))
        notes.append(beside_line(other.stack if other else str(beside.id), found))
    narrowed = baseline is not None and baseline.selection != run.selection
    if narrowed:
        notes.append("the last night had another selection: what it alone ran is left out")
    return report_of(
        engine,
        run.uid,
        baseline=str(baseline.id) if baseline else None,
        alone=baseline is None,
        lost_shards=problems,
        notes=notes,
        shared=narrowed,
    )


def found(engine: Engine, night: Night) -> Run | None:
    """Its run; None if nobody has begun it."""
    with suppress(SelectionError):
        return reads.run(engine, night.uid)
    return None


@contextmanager
def alone(lock: Path, say: Say) -> Iterator[None]:
    """Have a night to oneself; who comes second waits."""
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{lock.parent.name}: another process is at it; waiting for its end")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _wait_for_runner(lock: Path) -> None:
    """A run that outlived the nightly that began it ends first."""
    with suppress(FileNotFoundError), lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)


def last_line(log: Path) -> str:
    """What a command said last."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
