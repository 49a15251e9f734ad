"""The Ray executor on a cluster of several raylets on this machine, with toy cells."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Outcome, Result
from harness.terms import Terms
from runner.execute.local import run_shard
from runner.execute.ray import RayCluster, ray_cluster
from runner.execute.shard import Shard
from tests.conftest import ROOT, wait_for

GIB = 1 << 30
SECRET = "postgresql://matrix:open-sesame@database/matrix"


@dataclass
class Machines:
    """A Ray cluster here: a head that runs nothing, and machines of one CPU."""

    cluster: Any
    temporary: Path
    told: list[str] = field(default_factory=list)

    def add(self, **variables: str) -> Any:  # noqa: ANN401  (Ray has no types)
        return self.cluster.add_node(
            num_cpus=1, memory=8 * GIB, object_store_memory=80 << 20, env_vars=variables
        )

    def kill(self, machine: Any) -> None:  # noqa: ANN401  (the same)
        self.cluster.remove_node(machine, allow_graceful=False)

    def busy(self) -> int:
        """How many pieces are being run."""
        return len(list(self.temporary.glob("export-matrix-*/shard/*.jsonl")))

    def left(self) -> list[str]:
        """Command lines of pytest and zygotes that still run on the machines."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in Path("/proc").iterdir():
            try:
                environ, line = ((process / name).read_bytes() for name in ("environ", "cmdline"))
            except OSError:
                continue
            if mark in environ.split(b"\0") and (b"pytest" in line or b"harness" in line):
                found.append(line.replace(b"\0", b" ").decode())
        return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    from ray.cluster_utils import Cluster

    # Short, for sockets' names are; and a name of its own, to find what is left.
    with tempfile.TemporaryDirectory(prefix="r") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "memory": GIB, "object_store_memory": 80 << 20}
        made = Cluster(initialize_head=True, head_node_args=head | {"include_dashboard": False})
        try:
            yield Machines(made, Path(folder))
        finally:
            made.shutdown()


@pytest.fixture
def machines(cluster: Machines) -> Iterator[Machines]:
    """The cluster, with one machine; nothing that ran there is left."""
    cluster.told.clear()
    before = cluster.cluster.list_all_nodes()
    cluster.add()
    yield cluster
    for machine in cluster.cluster.list_all_nodes():
        if machine not in before:
            cluster.cluster.remove_node(machine)
    assert wait_for(lambda: not cluster.left()), cluster.left()


@pytest.fixture
def executor(machines: Machines) -> Iterator[RayCluster]:
    with ray_cluster(machines.cluster.address, machines.told.append, shortest_s=30) as made:
        yield made


@pytest.fixture
def shard(tmp_path: Path) -> Callable[..., Shard]:
    def make(*names: str, **given: Any) -> Shard:  # noqa: ANN401  (fields of a shard)
        variants = ("forward-static", "forward-dynamic", "generate-static", "generate-dynamic")
        cells = [Cell.parse(f"toy/{name}/{each}/toy") for each in variants for name in names]
        usual = {"folder": tmp_path / "shards", "name": "000", "run": "r", "revision": "here"}
        terms = Terms(time_limit_s=given.pop("time_limit_s", 60), memory_limit_mib=512)
        usual |= {"zoo": "tests.toyzoo", "terms": dict.fromkeys(cells, terms)}
        return Shard(cells=cells, **(usual | given))

    return make


def _told(results: list[Result]) -> dict[Cell, tuple[object, ...]]:
    """What was found, by cell; each cell is there once."""
    found = {
        each.cell: (each.outcome, each.stage, each.kind, each.signature, each.run, each.revision)
        for each in results
    }
    assert len(found) == len(results)
    return found


def _written(shard: Shard) -> list[Result]:
    return [Result.from_line(line) for line in shard.results.read_text().splitlines()]


def test_results_equal_those_of_a_local_run(
    machines: Machines, executor: RayCluster, shard: Callable[..., Shard], tmp_path: Path
) -> None:
    machines.add()
    names = ("Passes", "DriftsNumerically", "RefusesToBuild", "BranchesOnData", "Segfaults")
    here, there = shard(*names, folder=tmp_path / "here"), shard(*names)
    came = list(executor(there))
    assert _told(came) == _told(list(run_shard(here)))
    assert _written(there) == came
    assert len(set(_machines(there))) == 2
    assert not machines.told


def _machines(shard: Shard) -> list[str]:
    """The machines that ran pieces, as the log names them."""
    lines = shard.log.read_text().splitlines()
    return [line.removeprefix("=== ") for line in lines if line.startswith("=== ")]


def test_a_machine_that_joins_gets_work(
    machines: Machines, executor: RayCluster, shard: Callable[..., Shard]
) -> None:
    given = shard("Sleeps", "Passes", time_limit_s=1)
    came = []
    for result in executor(given):
        if not came:
            machines.add()
        came.append(result)
    assert _told(came).keys() == set(given.cells)
    assert len(set(_machines(given))) == 2


def test_what_is_lost_with_a_machine_is_run_again_and_nothing_twice(
    machines: Machines, executor: RayCluster, shard: Callable[..., Shard]
) -> None:
    other = machines.add()
    given = shard("Sleeps", "Passes", time_limit_s=1)
    running = executor(given)
    came = [next(running)]
    assert wait_for(lambda: machines.busy() == 2)
    machines.kill(other)
    came += running
    assert _told(came).keys() == set(given.cells)
    assert _told(_written(given)) == _told(came)
    assert any("are sent again: NodeDiedError" in line for line in machines.told)


def test_a_machine_with_another_stack_is_refused_and_says_why(
    machines: Machines, executor: RayCluster, shard: Callable[..., Shard], tmp_path: Path
) -> None:
    newer = tmp_path / "newer" / "onnxscript-99.0.dist-info"
    newer.mkdir(parents=True)
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxscript\nVersion: 99.0\n")
    machines.add(PYTHONPATH=f"{newer.parent}:{ROOT}")
    given = shard("Passes", "Sleeps", time_limit_s=1)
    came = list(executor(given))
    assert _told(came).keys() == set(given.cells)
    assert {result.stack["onnxscript"] for result in came} != {"99.0"}
    assert [line for line in machines.told if "refused: it has onnxscript 99.0 instead" in line]


def test_a_revision_comes_along_and_the_runners_variables_do_not(
    executor: RayCluster,
    shard: Callable[..., Shard],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EXPORT_MATRIX_DATABASE_URL", SECRET)
    package = tmp_path / "revision" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "9.9"\n')
    given = shard("TellsVariables", revision_path=package.parent)
    first = next(result for result in executor(given) if result.outcome is Outcome.FAIL)
    assert first.stack["transformers"] == "9.9"
    assert "PYTHONPATH=" in str(first.traceback)
    assert str(package.parent) not in str(first.traceback)
    assert SECRET not in str(first.traceback)


def test_one_who_stops_leaves_no_pytest_behind_and_what_came_is_written(
    machines: Machines, executor: RayCluster, shard: Callable[..., Shard]
) -> None:
    given = shard("Passes", "Sleeps", time_limit_s=600)
    running = executor(given)
    first = next(running)
    running.close()  # type: ignore[attr-defined]  # a generator, as an interrupt finds it
    assert wait_for(lambda: not machines.left()), machines.left()
    assert _written(given) == [first]


def test_suspects_are_retried_alone(executor: RayCluster, shard: Callable[..., Shard]) -> None:
    given = replace(shard("Segfaults"), attempt=2, name="001")
    assert {result.attempt for result in executor(given)} == {2}


def test_a_runner_that_is_killed_goes_on_where_its_results_end(
    machines: Machines, tmp_path: Path
) -> None:
    select = ["toy/Passes/*", "toy/Sleeps/*", "--zoo", "tests.toyzoo", "--backend", "toy"]
    ray = ["--executor", "ray", "--ray-address", machines.cluster.address, "--canary", "0"]

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "runner.cli", "run", *arguments, *ray, "--json"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "EXPORT_MATRIX_TIME_LIMIT": "1"},  # noqa: TID251  (handed on)
        )

    killed = start(*select)
    assert wait_for(lambda: any(map(_size, _files(tmp_path))), 60)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert wait_for(lambda: not machines.left()), machines.left()
    before = [line for file in _files(tmp_path) for line in file.read_text().splitlines()]
    done = json.loads(start("--resume", "latest").communicate(timeout=120)[0])
    assert done["received"] == done["expected"] == 4
    lines = [line for file in _files(tmp_path) for line in file.read_text().splitlines()]
    attempts = [(each.cell, each.attempt) for each in map(Result.from_line, lines)]
    assert len(set(attempts)) == len(attempts)
    assert set(before) <= set(lines)


def _files(folder: Path) -> list[Path]:
    return list(folder.glob(".export-matrix/runs/*/shards/[0-9]*.jsonl"))


def _size(path: Path) -> int:
    return path.stat().st_size


@pytest.mark.parametrize("address", ["ray://127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:x"])
def test_an_address_that_has_no_cluster_or_can_not_stream_is_told_at_once(address: str) -> None:
    with pytest.raises(MatrixError, match=address), ray_cluster(address, print):
        pass


def test_the_kuberay_file_runs_cells_on_workers_alone_and_the_database_is_known_to_the_head() -> (
    None
):
    job, claim = yaml.safe_load_all((ROOT / "docker" / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert "export-matrix run" in job["spec"]["entrypoint"]
    assert "--executor ray" in job["spec"]["entrypoint"]
    cluster = job["spec"]["rayClusterSpec"]
    head, workers = cluster["headGroupSpec"], cluster["workerGroupSpecs"][0]
    assert head["rayStartParams"]["num-cpus"] == "0"
    [of_head], [of_workers] = (each["template"]["spec"]["containers"] for each in (head, workers))
    assert of_head["image"] == of_workers["image"]
    assert "EXPORT_MATRIX_DATABASE_URL" in str(of_head["env"])
    assert "EXPORT_MATRIX" not in str(of_workers)
    assert of_workers["resources"]["limits"] == of_workers["resources"]["requests"]
    volume = head["template"]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"]
    assert volume == claim["metadata"]["name"]


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MatrixError, match=r"export-matrix\[ray\]"), ray_cluster(None, print):
        pass
