"""Runs shards on the machines of a Ray cluster, in pieces, each a Ray task.

1. A piece (`runner.core.pieces`) goes where its CPUs and its memory fit, and streams its results
   back. They are written into the shard's results file, as if they had been made here, before they
   are told: a runner that is killed resumes from that file.
2. Ray's own retries replay a task from its beginning, so there are none. What is lost with a
   machine is sent again, without the cells that came back; a cell's result is taken once. A piece
   that was lost three times since it last brought a result is given up: its cells stay missing.
3. A machine that differs from this one is refused (`runner.execute.remote`) and gets no more.
4. When we stop, or are stopped, the tasks are cancelled, which ends their pytest. When we are
   killed, Ray ends the tasks, and pytest ends with its parent.
"""

import fcntl
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, TextIO

from harness.cells import Cell
from harness.errors import MatrixError
from harness.results import Result
from harness.terms import Terms
from runner.core.pieces import SHORTEST_S, memory_mib, pieces
from runner.execute.local import lay_out
from runner.execute.remote import Log, Refusal, Sent, expectations, packed, run_piece
from runner.execute.shard import Shard

_TRIES = 3
_STOP_S = 20.0
_REACH_S = 10.0
_MOST_WORKERS = 4
_EXTRA = "Ray is not installed here; it comes with: pip install 'export-matrix[ray]'"

Tell = Callable[[str], None]


@contextmanager
def ray_cluster(
    address: str | None, tell: Tell, *, shortest_s: float = SHORTEST_S
) -> Iterator["RayCluster"]:
    """An executor on the cluster of that address, until the block ends.

    None is what Ray finds: its own RAY_ADDRESS, a Ray on this machine, else one is started here.
    `tell` gets a line for all that goes wrong with machines.
    """
    try:
        import ray  # noqa: PLC0415  (an extra)
    except ImportError:
        raise MatrixError(_EXTRA) from None
    if address and address.startswith("ray://"):
        raise MatrixError(
            f"{address}: results can't be streamed to a Ray client; start on a machine of the "
            "cluster, or submit the command with `ray job submit`"
        )
    _reach(address or "")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # noqa: TID251  (Ray has no other switch)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise MatrixError(f"no Ray at {address or 'this machine'}: {reason}") from None
    try:
        yield RayCluster(ray=ray, tell=tell, shortest_s=shortest_s)
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Ray itself tries for minutes where nobody listens."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, ValueError) as error:
        raise MatrixError(f"no Ray at {address}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """An executor: runs a shard on the cluster's machines."""

    ray: ModuleType
    tell: Tell
    shortest_s: float

    def __call__(self, shard: Shard) -> Iterator[Result]:
        if not shard.cells:
            return
        lay_out(shard)
        with shard.results.open("a", encoding="utf-8") as results, shard.log.open("a") as log:
            fcntl.flock(results, fcntl.LOCK_EX)
            flights = _Flights(self, shard, results, log)
            try:
                yield from flights.run()
            finally:
                flights.cancel()

    @property
    def workers(self) -> int:
        """Cells at once in a piece: they share a zygote, and fit on the smallest machine."""
        cpus = [int(cpus) for _, cpus, _ in self.machines() if cpus >= 1]
        return min([_MOST_WORKERS, *cpus])

    def machines(self) -> list[tuple[str, float, float]]:
        """Id, CPUs and bytes of memory of each that is alive."""
        alive = [node for node in self.ray.nodes() if node["Alive"]]
        resources = [(node["NodeID"], node["Resources"]) for node in alive]
        return [(name, has.get("CPU", 0), has.get("memory", 0)) for name, has in resources]


@dataclass(slots=True, kw_only=True)
class _Piece:
    """Cells that are on their way, and what it takes."""

    lacking: dict[Cell, None]
    memory: int
    #: how often it was lost since a result came
    fruitless: int = 0


@dataclass(slots=True)
class _Flights:
    """The pieces of a shard that are on their way."""

    cluster: RayCluster
    shard: Shard
    results: TextIO
    log: TextIO
    flying: dict[Any, _Piece] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    given: tuple[Any, ...] = ()
    task: Any = None

    def run(self) -> Iterator[Result]:
        ray, shard = self.cluster.ray, self.shard
        self.given = (ray.put(expectations(shard)), ray.put(packed(shard)))
        self.task = ray.remote(num_returns="streaming", max_retries=0)(_task)
        for piece in self._pieces():
            self._launch(piece)
        self._warn_of_waiting()
        while self.flying:
            for flight in ray.wait(list(self.flying))[0]:
                yield from self._received(flight)

    def cancel(self) -> None:
        """Stop what still runs, and wait until its pytest has ended."""
        ray = self.cluster.ray
        for flight in self.flying:
            ray.cancel(flight)
        until = time.monotonic() + _STOP_S
        while self.flying and (left := until - time.monotonic()) > 0:
            for flight in ray.wait(list(self.flying), timeout=left)[0]:
                try:
                    ray.get(next(flight))
                except (StopIteration, ray.exceptions.RayError):
                    del self.flying[flight]

    def _pieces(self) -> Iterator[_Piece]:
        shard = self.shard
        terms = {cell: shard.terms.get(cell, Terms()) for cell in shard.cells}
        cpus = sum(cpus // shard.workers for _, cpus, _ in self.cluster.machines())
        divided = pieces(
            shard.cells,
            costs={cell.id: each.expected_s for cell, each in terms.items() if each.expected_s},
            workers=shard.workers,
            places=int(cpus),
            shortest_s=self.cluster.shortest_s,
        )
        for cells in divided:
            need = memory_mib(
                [terms[cell].memory_limit_mib for cell in cells],
                [terms[cell].expected_mib for cell in cells],
                shard.workers,
            )
            yield _Piece(lacking=dict.fromkeys(cells), memory=need << 20)

    def _launch(self, piece: _Piece) -> None:
        cells = tuple(piece.lacking)
        shard = replace(self.shard, cells=cells, workers=min(self.shard.workers, len(cells)))
        others = {"ray.io/node-id": f"!in({','.join(self.refused)})"} if self.refused else None
        task = self.task.options(
            name=f"{shard.run} {shard.name}",
            num_cpus=shard.workers,
            memory=piece.memory,
            label_selector=others,
        )
        self.flying[task.remote(shard, *self.given)] = piece

    def _received(self, flight: Any) -> Iterator[Result]:  # noqa: ANN401  (Ray's)
        """What a piece has sent: a result that it owes is written, then told."""
        ray = self.cluster.ray
        try:
            sent: Sent = ray.get(next(flight))
        except StopIteration:
            self._ended(flight, "pytest ended without them; its log tells why")
        except ray.exceptions.RayError as error:
            self._ended(flight, _reason(error))
        else:
            match sent:
                case Refusal():
                    self._refuse(flight, sent)
                case Log():
                    self.log.write(f"=== {sent.machine}\n{sent.text}\n")
                    self.log.flush()
                case str():
                    yield from self._taken(self.flying[flight], sent)

    def _taken(self, piece: _Piece, line: str) -> Iterator[Result]:
        result = Result.from_line(line)
        if result.cell not in piece.lacking or result.attempt != self.shard.attempt:
            return
        self.results.write(f"{line}\n")
        self.results.flush()
        os.fsync(self.results.fileno())
        del piece.lacking[result.cell]
        piece.fruitless = 0
        yield result

    def _ended(self, flight: Any, why: str) -> None:  # noqa: ANN401  (Ray's)
        """All is back, or what is not goes again."""
        piece = self.flying.pop(flight)
        if not piece.lacking:
            return
        piece.fruitless += 1
        if piece.fruitless >= _TRIES:
            self._give_up(piece, why)
        else:
            self.cluster.tell(f"{len(piece.lacking)} cells are sent again: {why}")
            self._launch(piece)

    def _refuse(self, flight: Any, refusal: Refusal) -> None:  # noqa: ANN401  (Ray's)
        piece = self.flying.pop(flight)
        if refusal.machine not in self.refused:
            self.refused[refusal.machine] = refusal.why
            self.cluster.tell(f"machine {refusal.machine[:8]} is refused: it has {refusal.why}")
        fit = [name for name, cpus, _ in self.cluster.machines() if cpus >= self.shard.workers]
        if set(fit) <= self.refused.keys():
            self._give_up(piece, "every machine of the cluster is refused")
        else:
            self._launch(piece)

    def _give_up(self, piece: _Piece, why: str) -> None:
        self.cluster.tell(f"{len(piece.lacking)} cells are given up and stay missing: {why}")

    def _warn_of_waiting(self) -> None:
        """Ray waits for a machine that fits, and says so only in its logs."""
        machines, workers = self.cluster.machines(), self.shard.workers
        for memory in {piece.memory for piece in self.flying.values()}:
            if not any(cpus >= workers and has >= memory for _, cpus, has in machines):
                self.cluster.tell(
                    f"no machine of the cluster has {workers} CPUs and {memory >> 20} MiB: pieces "
                    "wait until one joins; less is enough with -n 1 and a lower --memory-limit"
                )


def _task(shard: Shard, expected: Mapping[str, str], brought: bytes) -> Iterator[Sent]:
    """The Ray task."""
    import ray  # noqa: PLC0415  (an extra)

    yield from run_piece(shard, expected, brought, ray.get_runtime_context().get_node_id())


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if hasattr(error, "cause") else lines[0]
    return f"{type(error).__name__}: {last}"
