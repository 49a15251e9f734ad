"""`make bench`: what isolation costs. The same cells, interleaved, three ways:

- *bare*: one warm process that calls the exporters in a loop and runs what they made;
- *harness -n 1*, *-n 2*: pytest-xdist, the zygote, a forked child per cell, verification, records.

Wall time is that of the cells alone, from the first one's start to the last one's result. CPU time
of the harness includes everything after its start-up; start-up (pytest, imports, the zygote's
warm-up) is measured by a shard of cheap cells and reported apart. Ratios are of medians.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends import load_backend
from harness.cells import Cell
from harness.results import Outcome
from harness.zoo.base import Zoo, load_zoo
from runner.execute.local import run_shard
from runner.execute.shard import Shard

_CLASSES = ("bert/BertModel", "llama/LlamaForCausalLM", "vit/ViTModel")
_LIGHT = [
    f"{name}/forward-{shapes}/{backend}"
    for name in _CLASSES
    for backend in ("dynamo", "onnx")
    for shapes in ("static", "dynamic")
]
CELLS = [*_LIGHT, "vit/ViTModel/forward-static/executorch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds that a pass over the cells took."""

    cpu: float
    wall: float


def bare(ids: Sequence[str]) -> Cost:
    """The exporters in a loop, in this process, after the same warm-up as the zygote's."""
    import torch

    torch.set_num_threads(1)
    cells = [Cell.parse(name) for name in ids]
    zoo = load_zoo()
    for backend in sorted({cell.backend for cell in cells}):
        _bare_cell(zoo, Cell.parse(f"bert/BertModel/forward-static/{backend}"))
    wall, cpu = time.perf_counter(), time.process_time()
    for cell in cells:
        _bare_cell(zoo, cell)
    return Cost(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)


def _bare_cell(zoo: Zoo, cell: Cell) -> None:
    backend = load_backend(cell.backend)
    case = zoo.build(cell.model_type, cell.model_class)
    for part in zoo.components(case, cell.variant):
        zoo.eager(part, part.inputs)
        made = backend.export(
            part, dynamic=cell.variant.dynamic, bound=None, enter=lambda stage: None
        )
        run = backend.load(made)
        run(part.inputs)
        if part.resized is not None and cell.variant.dynamic:
            run(part.resized)


def in_harness(ids: Sequence[str], *, workers: int) -> Cost:
    """The same cells as a shard; wall time of the cells, CPU time of everything."""
    before = _children_cpu()
    with tempfile.TemporaryDirectory() as folder:
        cells = [Cell.parse(name) for name in ids]
        shard = Shard(
            cells=cells,
            folder=Path(folder),
            name="000",
            run="bench",
            revision="installed",
            workers=workers,
        )
        started, ended = [], 0.0
        for result in run_shard(shard):
            ended = time.perf_counter()
            started.append(ended - result.duration_s)
            if result.outcome is not Outcome.PASS:
                sys.exit(f"{result.cell.id}: {result.outcome} {result.reason}")
    if len(started) != len(cells):
        sys.exit(f"{len(cells) - len(started)} cells gave no result")
    return Cost(cpu=_children_cpu() - before, wall=ended - min(started))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _bare_apart(ids: Sequence[str]) -> Cost:
    """`bare` in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--bare", *ids],
        capture_output=True,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bare", nargs="+", metavar="CELL", help="one bare pass, as JSON")
    asked = parser.parse_args()
    if asked.bare:
        cost = bare(asked.bare)
        print(json.dumps({"cpu": cost.cpu, "wall": cost.wall}))
        return
    passes: dict[str, list[Cost]] = {"bare": [], "harness -n 1": [], "harness -n 2": []}
    start_up: list[float] = []
    for repeat in range(asked.repeats):
        cheap = in_harness(["vit/ViTModel/forward-static/" + name for name in _BACKENDS], workers=1)
        start_up.append(cheap.cpu - cheap.wall)
        passes["bare"].append(_bare_apart(CELLS))
        for workers in (1, 2):
            passes[f"harness -n {workers}"].append(in_harness(CELLS, workers=workers))
        print(f"repeat {repeat + 1} of {asked.repeats} done", file=sys.stderr)
    _table(passes, statistics.median(start_up))


_BACKENDS = sorted({Cell.parse(name).backend for name in CELLS})


def _table(passes: dict[str, list[Cost]], start_up: float) -> None:
    def middle(name: str) -> Cost:
        taken = 0.0 if name == "bare" else start_up
        return Cost(
            cpu=statistics.median(cost.cpu for cost in passes[name]) - taken,
            wall=statistics.median(cost.wall for cost in passes[name]),
        )

    base = middle("bare")
    print(
        f"{len(CELLS)} cells, medians of {len(passes['bare'])}; start-up of the harness: "
        f"{start_up:.1f} s CPU, not included below"
    )
    print(f"{'':14} {'wall s':>8} {'ratio':>6} {'CPU s':>8} {'ratio':>6}   wall of each repeat")
    for name, found in passes.items():
        cost = middle(name)
        each = " ".join(f"{one.wall:.1f}" for one in found)
        print(
            f"{name:14} {cost.wall:8.1f} {cost.wall / base.wall:6.2f} "
            f"{cost.cpu:8.1f} {cost.cpu / base.cpu:6.2f}   {each}"
        )


if __name__ == "__main__":
    main()
