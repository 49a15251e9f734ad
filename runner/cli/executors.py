"""Where cells run: on this machine, or on those of a Ray cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from harness.errors import SelectionError
from harness.isolation.machine import usual_workers
from runner.cli.console import err
from runner.core.plain import plain
from runner.execute.local import run_shard
from runner.execute.ray import ray_cluster
from runner.execute.shard import Executor
from runner.settings import settings


class ExecutorName(StrEnum):
    """What `--executor` takes."""

    LOCAL = "local"
    RAY = "ray"


ExecutorOption = Annotated[
    ExecutorName, typer.Option("--executor", help="Where cells run: here, or on a Ray cluster.")
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster, as host:port. Default: EXPORT_MATRIX_RAY_ADDRESS, else what Ray finds "
        "(RAY_ADDRESS, a Ray on this machine), else one is started here.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """An executor, and how many cells it runs at once (on Ray: in a piece) unless a user says."""

    executor: Executor
    workers: int


@contextmanager
def chosen_executor(name: ExecutorName, ray_address: str | None) -> Iterator[Chosen]:
    """The executor, connected for as long as the block."""
    match name:
        case ExecutorName.LOCAL:
            if ray_address:
                raise SelectionError("--ray-address needs --executor ray")
            yield Chosen(executor=run_shard, workers=usual_workers())
        case ExecutorName.RAY:
            with ray_cluster(ray_address or settings().ray_address, _tell) as cluster:
                yield Chosen(executor=cluster, workers=cluster.workers)


def _tell(line: str) -> None:
    err.print(plain(line))
