"""A world of runs that is struck at random moments; `tests/integration/test_kills.py` tells how."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.results import Outcome, Result
from runner.store.attempts import attempts_in
from runner.store.engine import Engine, open_store
from tests.conftest import Matrix, wait_for

KINDS = ("runner", "machine", "service", "controller", "worker", "zygote", "cell")
#: after these the runner is gone
LAST = ("runner", "machine", "service")
TOYS = (
    "Passes DriftsNumerically Segfaults Exits IsKilled RefusesToBuild NeedsMissingPackage"
    " SpecializesBatch BranchesOnData TakesAMoment ForksAnOrphan"
)
SELECTED = [*(f"toy/{name}/*" for name in TOYS.split()), "toy/DiesAtFirst/forward-static/*"]
OPTIONS = ["--zoo", "tests.toyzoo", "--backend", "toy", "-n", "2", "--time-limit", "20"]


@dataclass(kw_only=True)
class World:
    """A folder with runs, a database, and what was done to them."""

    matrix: Matrix
    url: str
    random: random.Random
    strikes: Counter[str] = field(default_factory=Counter)
    #: name of the run that is not complete yet
    run: str = ""
    #: its result lines that were whole after a strike
    written: set[str] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.matrix.variables |= {
            "EXPORT_MATRIX_DATABASE_URL": self.url,
            "HF_HOME": str(self.matrix.folder),
        }
        (self.matrix.folder / "builds").touch()

    @property
    def shards(self) -> Path:
        return self.matrix.folder / ".export-matrix" / "runs" / self.run / "shards"

    def start(self) -> subprocess.Popen[str]:
        """A runner that goes on with the run, or begins one."""
        words = ["--resume", self.run] if self.find() else [*SELECTED, *OPTIONS]
        words += [] if self.random.random() < 0.2 else ["--no-reuse"]
        words += ["--canary", "2"] if self.random.random() < 0.2 else []
        return self.matrix.cli("run", *words, "--json")

    def find(self) -> bool:
        """Whether there is a run to go on with."""
        plans = self.matrix.folder.glob(".export-matrix/runs/*/run.json")
        begun = {plan.parent.name for plan in plans} - self._known
        self.run = begun.pop() if begun else ""
        return bool(self.run)

    def leave(self) -> None:
        """The next run will be another one."""
        self._known.add(self.run)
        self.written.clear()

    def lines(self) -> list[str]:
        """The whole result lines of the run."""
        parts = [file.read_bytes().split(b"\n")[:-1] for file in self.files()]
        return [line.decode() for lines in parts for line in lines]

    def files(self) -> list[Path]:
        return sorted(self.shards.glob("*.jsonl")) if self.run else []

    def victims(self, kind: str) -> list[int]:
        if kind == "zygote":
            return self.matrix.zygotes()
        if kind == "cell":
            return self.matrix.running_cells()
        alive = self.matrix.alive()
        words = {"runner": "-m runner.cli run", "controller": "-m pytest", "worker": "exec(eval"}
        return [pid for pid, line in alive.items() if words[kind] in line and "guard" not in line]

    def strike(self, life: subprocess.Popen[str]) -> None:
        """Wait for a random moment, and kill something of a random kind."""
        kind = self.random.choice(KINDS)
        self._wait_for_moment(life, kind)
        if life.poll() is not None:
            return
        if kind == "machine":
            self._stop_machine()
        elif kind == "service":
            for pid in self.matrix.alive():
                _send(pid, signal.SIGTERM)
        else:
            victims = self.victims(kind)
            if not victims:
                return
            _kill(self.random.choice(victims))
        self.strikes[kind] += 1
        if kind in LAST:
            life.wait(60)
        if self.find():
            self.written = (set() if kind == "machine" else self.written) | set(self.lines())

    def _wait_for_moment(self, life: subprocess.Popen[str], kind: str) -> None:
        before = len(self.lines())
        if kind not in LAST:
            wait_for(lambda: life.poll() is not None or self.victims(kind), 30)
            until = time.monotonic() + self.random.random() * 0.8
        elif self.random.random() < 0.7:
            wait_for(lambda: life.poll() is not None or len(self.lines()) > before, 30)
            until = time.monotonic() + self.random.random() * 2
        else:
            until = time.monotonic() + self.random.random() * 3
        while life.poll() is None and time.monotonic() < until:
            time.sleep(0.01)

    def _stop_machine(self) -> None:
        """Everything stops at once, and then there is nothing."""
        while fresh := [pid for pid in self.matrix.alive() if _send(pid, signal.SIGSTOP)]:
            if all(_state(pid) in "TZX" for pid in fresh):
                break
        for pid in self.matrix.alive():
            _kill(pid)
        assert wait_for(lambda: not self.matrix.alive())
        if self.find():
            self._tear()

    def _tear(self) -> None:
        """Lose the end of a file, as far as nobody was told of it."""
        told = self._told()
        for file in self.files():
            content = file.read_bytes()
            safe = 0
            while end := content.find(b"\n", safe) + 1:
                found = Result.from_line(content[safe : end - 1].decode())
                if (found.cell.id, found.attempt) not in told:
                    break
                safe = end
            kept = content[: self.random.randint(safe, len(content))]
            if kept != content and self.random.random() < 0.5:
                kept += b"\0" * self.random.randint(1, 5000)
            file.write_bytes(kept)

    def _told(self) -> set[tuple[str, int]]:
        engine = open_store(self.url)
        try:
            found = stored(engine, self.run, self.lines())
        finally:
            engine.dispose()
        return set(found)


def stored(engine: Engine, run: str, lines: list[str]) -> dict[tuple[str, int], Outcome]:
    cells = {Result.from_line(line).cell for line in lines}
    found = attempts_in(engine, run, sorted(cells))
    return {(each.cell.id, each.attempt): each.outcome for each in found}


def _kill(pid: int) -> bool:
    return _send(pid, signal.SIGKILL)


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
