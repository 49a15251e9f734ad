"""Shares of one run on several machines, each a folder with a database of its own, and ingested."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SELECT = ["toy/Passes/*", "toy/DriftsNumerically/*", "toy/BranchesOnData/*", "toy/Sleeps/*"]
TOY = ["--zoo", "tests.toyzoo", "--backend", "toy"]
#: 4 classes, static and dynamic
CELLS = 8
NO_CANARY = ["--canary", "0"]
LIMITS = '[[rule]]\ncells = "class:Sleeps"\ntime_s = 1\nreason = "it only sleeps"\n'

Completed = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Machine:
    """A folder that `export-matrix` works in."""

    folder: Path

    def __call__(self, *arguments: str) -> Completed:
        self.folder.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-m", "runner.cli", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},  # noqa: TID251  (handed on)
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def cells(self) -> list[str]:
        """What its shares had to run."""
        files = self.folder.glob(".export-matrix/runs/*/shards/000.cells")
        return [line for file in files for line in file.read_text().splitlines()]

    def results(self) -> list[str]:
        """Its files of results."""
        return sorted(map(str, self.folder.glob(".export-matrix/runs/*/shards/*.jsonl")))

    def diffed(self, head: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self("diff", "1", head, "--format", "json").stdout)
        return record


@dataclass(frozen=True)
class World:
    """A plan, the machines that ran it, and one that ran everything by itself."""

    plan: Path
    planner: Machine
    machines: tuple[Machine, Machine]
    exits: tuple[int, int]
    told: tuple[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    planner, first, second = (Machine(folder / name) for name in ("planner", "first", "second"))
    planner.folder.mkdir()
    limits = planner.folder / "limits.toml"
    limits.write_text(LIMITS)
    alone = planner("run", *SELECT, *TOY, "--limits", "limits.toml", *NO_CANARY)
    assert alone.returncode == 0, alone.stderr
    planned = planner("plan", *SELECT, *TOY, "--limits", "limits.toml", "-o", "plan.json")
    assert planned.returncode == 0, planned.stderr
    # What one machine knows of durations must not change which cells are its.
    first("run", "toy/Passes/*", *TOY, *NO_CANARY)
    plan = planner.folder / "plan.json"
    shared = ["run", "--plan", str(plan), "--no-reuse", *NO_CANARY]
    done = [
        machine(*shared, "--shard", f"{number}/2")
        for number, machine in enumerate((first, second), start=1)
    ]
    exits = (done[0].returncode, done[1].returncode)
    told = (done[0].stdout, done[1].stdout)
    return World(plan=plan, planner=planner, machines=(first, second), exits=exits, told=told)


def test_a_share_that_is_done_exits_with_0_and_tells_of_the_others(world: World) -> None:
    assert world.exits == (0, 0)
    assert all(f" of {CELLS} cells; this share is done" in told for told in world.told)


def test_a_plan_holds_nothing_of_the_machine_that_wrote_it(world: World) -> None:
    assert str(world.planner.folder) not in world.plan.read_text()


def test_the_shares_hold_each_cell_once_on_machines_that_know_different_things(
    world: World,
) -> None:
    uid = json.loads(world.plan.read_text())["uid"]
    shares = [
        (machine.folder / f".export-matrix/runs/{uid}.{number}of2/shards/000.cells").read_text()
        for number, machine in enumerate(world.machines, start=1)
    ]
    cells = [cell for share in shares for cell in share.splitlines()]
    assert len(cells) == len(set(cells)) == CELLS
    assert all(share.splitlines() for share in shares)


def test_the_shares_ingested_equal_one_run_and_no_less_is_complete(
    world: World, tmp_path: Path
) -> None:
    uid = json.loads(world.plan.read_text())["uid"]
    files = [[name for name in machine.results() if uid in name] for machine in world.machines]
    database = ["--database", f"sqlite:///{tmp_path}/team.db"]
    ingest = ["ingest", str(world.plan), *database]
    nothing, half = world.planner(*ingest), world.planner(*ingest, *files[0])
    assert (nothing.returncode, half.returncode) == (1, 1)
    assert f"incomplete: 0 of {CELLS} cells" in nothing.stdout
    assert "incomplete: " in half.stdout
    for _ in range(2):
        whole = world.planner(*ingest, *files[0], *files[1])
        assert whole.returncode == 0, whole.stdout
        assert f"run {uid}: {CELLS} of {CELLS} cells" in whole.stdout
    world.planner("ingest", str(world.plan), *files[0], *files[1])
    found = world.planner.diffed(uid)
    assert found["complete"] is True
    assert set(found["counts"]) == {"still-passing", "still-failing"}


def test_the_plans_limits_hold_on_every_machine(world: World) -> None:
    lines = [
        json.loads(line)
        for machine in world.machines
        for name in machine.results()
        for line in Path(name).read_text().splitlines()
    ]
    reasons = {line["reason"] for line in lines if line["outcome"] == "timeout"}
    assert reasons == {"over the time limit of 1 s"}


@pytest.mark.parametrize(
    ("changes", "arguments", "hint"),
    [
        ({"schema": 99}, [], "schema 99"),
        ({"stack": {"python": "2.7"}}, [], "instead of 2.7"),
        ({"revision": "0123456789ab"}, [], "--revision path/to/transformers@0123456789ab"),
        ({"cells": ["llama"]}, [], "damaged plan"),
        ({}, ["toy/Passes/*"], "beside --plan"),
        ({}, ["--name", "other"], "beside --plan"),
        ({}, ["--shard", "3/2"], "I/N"),
    ],
    ids=str,
)
def test_a_plan_that_can_not_be_run_here_is_refused_in_one_line(
    world: World, tmp_path: Path, changes: dict[str, object], arguments: list[str], hint: str
) -> None:
    record = json.loads(world.plan.read_text())
    (tmp_path / "plan.json").write_text(json.dumps(record | changes))
    done = Machine(tmp_path)("run", "--plan", "plan.json", *arguments)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert hint in last
    assert not (tmp_path / ".export-matrix" / "runs").exists()


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")
    for name, hint in [("other.json", "is no plan"), ("absent.json", "no such file")]:
        done = Machine(tmp_path)("ingest", name)
        assert (done.returncode, hint in done.stderr) == (2, True)


def test_shares_by_name_alone_need_no_plan_and_hold_each_cell_once(tmp_path: Path) -> None:
    machines = [Machine(tmp_path / name) for name in ("one", "two")]
    machines[0]("run", "toy/Passes/*", *TOY, *NO_CANARY)
    for number, machine in enumerate(machines, start=1):
        named = ["--name", "nightly", "--shard", f"{number}/2", "--no-reuse", *NO_CANARY]
        done = machine("run", *SELECT[:3], *TOY, *named)
        assert done.returncode == 0, done.stderr
    files = tmp_path.glob("*/.export-matrix/runs/nightly.*/shards/000.cells")
    cells = [line for file in files for line in file.read_text().splitlines()]
    assert len(cells) == len(set(cells)) == 6
