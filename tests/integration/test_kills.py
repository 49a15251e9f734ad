"""Runs of the toy zoo, killed at random moments and resumed: nothing is lost, doubled or invented.

A chain makes runs in one folder and strikes them, with SIGKILL, until it has struck often enough:
the runner, the pytest controller, an xdist worker, the zygote, the child that runs a cell, or all
at once (`machine`: the ends of result files that nobody was told of are torn off as well, sometimes
with zeros in their place). A `service` is stopped: SIGTERM for all its processes. A run that is
complete is compared with one that nobody disturbed.

`EXPORT_MATRIX_KILLS_SEED` repeats a failure, which tells its seed.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from harness.results import Outcome, Result
from runner.core.runs import Verdict
from runner.store import reads
from runner.store.engine import open_store
from tests.conftest import Matrix, wait_for
from tests.striking import TOYS, World, stored

SEED = int(os.environ.get("EXPORT_MATRIX_KILLS_SEED", time.time_ns() % 10**6))  # noqa: TID251  (a test's own)
STRIKES = 10  # by each chain
#: what a cell may come to whose child was killed by a stranger: nobody can tell that from its fate
STRUCK = {Verdict.FLAKY, Verdict.CRASH}


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
            ended = life.returncode in (0, 1, -signal.SIGKILL, -signal.SIGTERM)
            assert ended, f"seed {SEED}: {told}"
            assert "Traceback" not in told, f"seed {SEED}: {told}"
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
    causes = sum(world.strikes[kind] for kind in ("worker", "zygote", "controller", "service"))
    if lost > 2 * causes:
        yield f"{lost} attempts are told as lost"
