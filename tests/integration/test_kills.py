"""Runs of the toy zoo, killed at random moments and resumed: nothing is lost, doubled or invented.

A chain makes runs in one folder and strikes them, with SIGKILL, until it has struck often enough:
the runner, the pytest controller, an xdist worker, the zygote, the child that runs a cell, or all
at once (`machine`: the ends of result files that nobody was told of are torn off as well, sometimes
with zeros in their place). A run that is complete is compared with one that nobody disturbed.

`EXPORT_MATRIX_KILLS_SEED` repeats a failure, which tells its seed.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.results import Outcome, Result
from runner.core.runs import Verdict
from runner.store import reads
from runner.store.attempts import attempts_in
from runner.store.engine import Engine, open_store
from tests.conftest import Matrix, wait_for

SEED = int(os.environ.get("EXPORT_MATRIX_KILLS_SEED", time.time_ns() % 10**6))  # noqa: TID251  (a test's own)
STRIKES = 10  # by each chain
KINDS = ("runner", "machine", "controller", "worker", "zygote", "cell")
TOYS = (
    "Passes DriftsNumerically Segfaults Exits IsKilled RefusesToBuild NeedsMissingPackage"
    " SpecializesBatch BranchesOnData TakesAMoment ForksAnOrphan"
)
SELECTED = [*(f"toy/{name}/*" for name in TOYS.split()), "toy/DiesAtFirst/forward-static/*"]
OPTIONS = ["--zoo", "tests.toyzoo", "--backend", "toy", "-n", "2", "--time-limit", "20"]
#: what a cell may come to whose child was killed by a stranger: nobody can tell that from its fate
STRUCK = {Verdict.FLAKY, Verdict.CRASH}


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
            # Other people's plugins triple the time that pytest takes to start.
            "PYTEST_PLUGINS": "harness.plugin,xdist.plugin",
        }
        (self.matrix.folder / "builds").touch()

    @property
    def shards(self) -> Path:
        return self.matrix.folder / ".export-matrix" / "runs" / self.run / "shards"

    def start(self) -> subprocess.Popen[str]:
        """A runner that goes on with the run, or begins one."""
        if self.find():
            return self.matrix.cli("run", "--resume", self.run, "--json")
        reuse = [] if self.random.random() < 0.2 else ["--no-reuse"]
        return self.matrix.cli("run", *SELECTED, *OPTIONS, *reuse, "--json")

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

    def victims(self, kind: str, runner: int) -> list[int]:
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
        else:
            victims = self.victims(kind, life.pid)
            if not victims:
                return
            _kill(self.random.choice(victims))
        self.strikes[kind] += 1
        if kind in ("runner", "machine"):
            life.wait(60)
        if self.find():
            self.written = (set() if kind == "machine" else self.written) | set(self.lines())

    def _wait_for_moment(self, life: subprocess.Popen[str], kind: str) -> None:
        before = len(self.lines())
        if kind not in ("runner", "machine"):
            wait_for(lambda: life.poll() is not None or self.victims(kind, life.pid), 30)
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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """The verdict of each cell of a run that nobody disturbs."""
    folder = tmp_path_factory.mktemp("u")
    world = World(
        matrix=Matrix(folder=folder), url=f"sqlite:///{folder}/u.db", random=random.Random(0)
    )
    told, _ = world.start().communicate(timeout=120)
    found = verdicts(world.url)
    assert len(found) == 2 * len(TOYS.split()) + 1, told
    return found


def verdicts(url: str) -> dict[str, Verdict]:
    engine = open_store(url)
    try:
        run = reads.run(engine, "latest")
        return {each.cell.id: each.verdict for each in reads.verdicts(engine, run.id)}
    finally:
        engine.dispose()


@pytest.fixture
def world(matrix: Matrix, url: str, request: pytest.FixtureRequest) -> World:
    return World(matrix=matrix, url=url, random=random.Random(f"{SEED} {request.node.name}"))


@pytest.mark.parametrize(
    ("url", "chain"),
    [*(("sqlite", chain) for chain in range(5)), ("postgresql", 5)],
    indirect=["url"],
)
def test_what_is_killed_at_random_moments_ends_as_what_nobody_disturbed(
    world: World, undisturbed: dict[str, Verdict], chain: int
) -> None:
    while world.strikes.total() < STRIKES:
        done = False
        while not done:
            life = world.start()
            while life.poll() is None and world.strikes.total() < STRIKES:
                world.strike(life)
            told, _ = life.communicate(timeout=120)
            done = life.returncode == 0
            assert life.returncode in (0, 1, -signal.SIGKILL), f"seed {SEED}: {told}"
        world.find()
        problems = list(differences(world, json.loads(told[told.index("{") :]), undisturbed))
        assert not problems, f"seed {SEED}, struck {dict(world.strikes)}: {problems}"
        world.leave()


def differences(
    world: World, record: dict[str, object], undisturbed: dict[str, Verdict]
) -> Iterator[str]:
    """What is wrong with a run that was struck, and is complete."""
    lines = world.lines()
    results = [Result.from_line(line) for line in lines]
    keys = Counter((result.cell.id, result.attempt) for result in results)
    if record["received"] != record["expected"] or record["expected"] != len(undisturbed):
        yield f"not complete: {record}"
    yield from (f"doubled: {key}" for key, count in keys.items() if count > 1)
    yield from (f"lost: {line[:200]}" for line in world.written - set(lines))
    yield from _wrong_verdicts(results, verdicts(world.url), undisturbed)
    yield from _invented(world, results)
    engine = open_store(world.url)
    found = stored(engine, world.run, lines)
    engine.dispose()
    if found != {(each.cell.id, each.attempt): each.outcome for each in results}:
        yield f"the database holds {found}"
    if not wait_for(lambda: not world.matrix.alive()):
        yield f"left: {world.matrix.alive()}"
    if not wait_for(lambda: not world.matrix.left_files()):
        yield f"left: {world.matrix.left_files()}"


def _wrong_verdicts(
    results: list[Result], found: dict[str, Verdict], undisturbed: dict[str, Verdict]
) -> Iterator[str]:
    struck = {
        result.cell.id
        for result in results
        if result.signal == "SIGKILL" and result.cell.model_class != "IsKilled"
    }
    for cell, verdict in undisturbed.items():
        allowed = {verdict} | (STRUCK if cell in struck else set())
        if verdict is Verdict.FLAKY:
            allowed.add(Verdict.PASS)  # the time it died was lost with what was killed
        if found.get(cell) not in allowed:
            attempts = [
                (each.attempt, each.outcome, each.reason)
                for each in results
                if each.cell.id == cell
            ]
            yield f"{cell} is {found.get(cell)}, not {verdict}: {attempts}"


def _invented(world: World, results: list[Result]) -> Iterator[str]:
    """More results that tell of a build than there were builds, or deaths that nobody caused."""
    builds = Counter((world.matrix.folder / "builds").read_text().split())
    told = Counter(
        result.cell.model_class
        for result in results
        if result.outcome is not Outcome.SKIP and result.kind != "lost" and not result.carried_from
    )
    yield from (
        f"{name}: {count} results of {builds[name]} builds"
        for name, count in told.items()
        if count > builds[name]
    )
    lost = sum(result.kind == "lost" for result in results)
    if lost > 2 * (world.strikes["worker"] + world.strikes["zygote"] + world.strikes["controller"]):
        yield f"{lost} attempts are told as lost"
