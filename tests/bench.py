"""`make bench`: what isolation costs. The same cells, interleaved, in these ways:

- *bare*: one warm process that calls the exporters in a loop and runs what they made;
- *cold*: a new process for each cell, that imports everything (`--matrix-cold`);
- *xdist -n 2*: plain pytest-xdist, a long process per worker that runs its cells itself: nothing is
  isolated, a crash or a leak is everybody's;
- *engine -n 1*, *-n 2*: pytest-xdist, the zygote, a forked child per cell, verification, records.

All but *bare* attempt a cell in full: verification, other sizes, records. Wall time is that of the
cells alone, from the first one's start to the last one's result. CPU time is of everything; the
engine's start-up (pytest, imports, the zygote's warm-up) is measured by a shard of cheap cells and
reported apart, *bare*'s is not counted; that of *cold* and *xdist* is in their figures, for each
process pays it in its cells. Ratios are of medians.

With `--run RUN [--database URL]` nothing is run: a finished run tells its makespan against its
lower bound, and by backend the seconds and peak memory of its cells.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.backends import load_backend
from harness.cells import Cell
from harness.results import Outcome
from harness.zoo.base import Zoo, load_zoo
from runner.core.runs import CellVerdict
from runner.core.summary import schedule_line
from runner.execute.local import run_shard
from runner.execute.shard import Shard
from runner.settings import settings
from runner.store import reads
from runner.store.engine import open_store

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


def in_engine(ids: Sequence[str], *, workers: int, cold: bool = False) -> Cost:
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
            cold=cold,
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


_PLAIN = """
import time
import pytest
from harness.attempt import attempt
from harness.backends import load_backend
from harness.cells import Cell
from harness.zoo.base import load_zoo

BEGAN = time.time()
ZOO = load_zoo()

@pytest.mark.parametrize("cell", {ids!r})
def test_cell(cell):
    import torch
    torch.set_num_threads(1)
    cell = Cell.parse(cell)
    began = time.time()
    backend = load_backend(cell.backend)
    result = attempt(cell, zoo=ZOO, backend=backend, enter=lambda stage: None)
    assert result.outcome == "pass", result.reason
    with open({spans!r}, "a") as out:
        print(began, time.time(), file=out, flush=True)
"""


def in_xdist(ids: Sequence[str], *, workers: int) -> Cost:
    """The same cells, run by the xdist workers themselves."""
    before = _children_cpu()
    with tempfile.TemporaryDirectory() as folder:
        spans, test = Path(folder, "spans"), Path(folder, "test_plain.py")
        test.write_text(_PLAIN.format(ids=list(ids), spans=str(spans)))
        asked = ["-q", "--disable-plugin-autoload", "-p", "xdist.plugin", "-n", str(workers)]
        place = ["-c", os.devnull, "--rootdir", folder, "-p", "no:cacheprovider"]
        subprocess.run(
            [sys.executable, "-m", "pytest", str(test), *asked, *place],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        times = [tuple(map(float, line.split())) for line in spans.read_text().splitlines()]
    wall = max(end for _, end in times) - min(start for start, _ in times)
    return Cost(cpu=_children_cpu() - before, wall=wall)


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
    parser.add_argument("--run", metavar="RUN", help="tell how a finished run was executed")
    parser.add_argument("--database", default=settings().database_url, metavar="URL")
    parser.add_argument("--bare", nargs="+", metavar="CELL", help="one bare pass, as JSON")
    asked = parser.parse_args()
    if asked.bare:
        cost = bare(asked.bare)
        print(json.dumps({"cpu": cost.cpu, "wall": cost.wall}))
        return
    if asked.run:
        _tell_run(asked.database, asked.run)
        return
    ways: dict[str, Callable[[], Cost]] = {
        "bare": lambda: _bare_apart(CELLS),
        "cold": lambda: in_engine(CELLS, workers=1, cold=True),
        "xdist -n 2": lambda: in_xdist(CELLS, workers=2),
        "engine -n 1": lambda: in_engine(CELLS, workers=1),
        "engine -n 2": lambda: in_engine(CELLS, workers=2),
    }
    passes: dict[str, list[Cost]] = {name: [] for name in ways}
    start_up: list[float] = []
    for repeat in range(asked.repeats):
        cheap = in_engine(["vit/ViTModel/forward-static/" + name for name in _BACKENDS], workers=1)
        start_up.append(cheap.cpu - cheap.wall)
        for name, way in ways.items():
            passes[name].append(way())
        print(f"repeat {repeat + 1} of {asked.repeats} done", file=sys.stderr)
    _table(passes, statistics.median(start_up))


def _tell_run(database: str, ref: str) -> None:
    engine = open_store(database)
    run = reads.run(engine, ref)
    if run.schedule:
        print(schedule_line(run.schedule))
    kinds: dict[str, list[CellVerdict]] = {}
    for found in reads.verdicts(engine, run.id):
        if found.duration_s and not found.carried_from:
            name = f"{found.cell.backend} {'dynamic' if found.cell.variant.dynamic else 'static'}"
            kinds.setdefault(name, []).append(found)
    print(
        f"{'':20} {'cells':>6} {'seconds':>8} {'median':>7} {'longest':>8} {'peak MiB':>9} "
        f"{'CPU s':>8} {'a cell':>7}"
    )
    for name, cells in sorted(kinds.items()):
        seconds = [found.duration_s or 0.0 for found in cells]
        peak = max(found.peak_rss_bytes or 0 for found in cells) >> 20
        cpu = sum(found.cpu_s or 0.0 for found in cells)
        print(
            f"{name:20} {len(cells):6} {sum(seconds):8.0f} {statistics.median(seconds):7.1f} "
            f"{max(seconds):8.1f} {peak:9} {cpu:8.0f} {cpu / len(cells):7.1f}"
        )


_BACKENDS = sorted({Cell.parse(name).backend for name in CELLS})


def _table(passes: dict[str, list[Cost]], start_up: float) -> None:
    def middle(name: str) -> Cost:
        taken = start_up if name.startswith("engine") else 0.0
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
