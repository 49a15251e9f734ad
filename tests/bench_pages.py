"""`make bench`: how fast pages and twins come, over a database of the size to plan for.

Without `--database`, one is made (`tests.big`; `--runs 1000` is the full size, and takes minutes).
A server is started as `export-matrix serve` starts it, in a process of its own, and asked over one
connection that stays open:

- *first*: addresses that nobody asked for before, each another run, cell or group;
- *again*: the same addresses, which is what most requests are;
- *mixed*: all of them by several clients at once, for as long as `--seconds`; how often one is
  asked for falls with its rank, newest runs first.

Milliseconds are those that a client waits: more than the server's own time. On a machine that does
other work besides, compare figures of one run with each other.
"""

import argparse
import http.client
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import quote

from runner.store import history, reads
from runner.store.engine import ensure
from tests import big

_ADDRESSES = 24
_PULLS = 10
_PORT = 8641
#: a server asks itself for the pages that most begin with, a second after it listens
_WARM_S = 5


def addresses(url: str) -> dict[str, list[str]]:
    """What is asked, by page; of the newest runs more than of old ones."""
    engine, chance = ensure(url), random.Random(1)
    newest = reads.run(engine, "latest").id
    runs = [max(2, newest - int(chance.expovariate(1 / 40))) for _ in range(_ADDRESSES)]
    runs = sorted(set(runs), reverse=True)
    cells = chance.sample([each.cell.id for each in reads.verdicts(engine, newest)], _ADDRESSES)
    groups = [each.signature for each in reads.groups(engine, newest)][:_ADDRESSES]
    types = list(dict.fromkeys(name.split("/")[0] for name in cells))
    flaky = [cell.id for cell, _ in history.flakiest(engine, limit=4)]
    engine.dispose()
    pages = {
        "overview": ["/"],
        "runs": ["/runs", *(f"/runs?before={each}" for each in runs)],
        "run": [f"/runs/{each}" for each in runs],
        "matrix": [f"/matrix?run={each}" for each in runs],
        "run, searched": [f"/runs/{each}?q={quote('onnx:fail and dynamo:pass')}" for each in runs],
        "report": [f"/runs/{each}/report" for each in runs],
        "diff": [f"/diff/{each - 1}/{each}" for each in runs],
        "groups": [f"/groups?run={each}" for each in runs],
        "group": [f"/groups/{each}" for each in groups],
        "cell": [f"/cells/{each}" for each in [*cells, *flaky]],
        "model": [f"/models/{each}" for each in types],
        "slowest": [f"/slowest?run={each}" for each in runs],
        "fleet": ["/fleet"],
        "known": [f"/known?run={each}" for each in runs],
        "flaky": ["/flaky"],
        "detector": ["/detector"],
        "triage": ["/triage"],
        "access": ["/access"],
        "pull request": [f"/pr/{each}" for each in range(newest, newest - _PULLS, -1)],
    }
    twins = {f"{name}.json": [_twin(each) for each in found] for name, found in pages.items()}
    others = {
        "feed": ["/feed.xml"],
        "badge": [f"/badges/runs/{each}.svg" for each in runs],
        "badge of a model": [f"/badges/models/{each}.svg" for each in types],
        "table (CSV)": [f"/tables/cells.csv?run={each}" for each in runs[:4]],
    }
    return pages | twins | others


def _twin(address: str) -> str:
    path, mark, query = address.partition("?")
    return f"{'/index' if path == '/' else path}.json{mark}{query}"


@contextmanager
def server(url: str) -> Iterator[int]:
    """A server over the database; its process id, once it answers and has warmed up."""
    command = ["-m", "runner.cli", "serve", "--port", str(_PORT), "--database", url]
    started = Popen([sys.executable, *command], stderr=PIPE)
    try:
        for _ in range(200):
            try:
                ask(http.client.HTTPConnection("127.0.0.1", _PORT), "/healthz")
                break
            except OSError:
                time.sleep(0.1)
        time.sleep(_WARM_S)
        yield started.pid
    finally:
        started.terminate()
        started.wait()


def ask(connection: http.client.HTTPConnection, address: str) -> float:
    """Seconds until all of the answer is here."""
    before = time.perf_counter()
    connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"{address} answers {answer.status}")
    return time.perf_counter() - before


def told(name: str, seconds: Sequence[float]) -> str:
    """The p50 and p95 in milliseconds, as cells of a table."""
    half, most = percentiles(seconds)
    return f"{name} | {half:6.1f} | {most:7.1f}"


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The p50 and p95, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20) if len(seconds) > 1 else [seconds[0]] * 19
    return 1000 * cuts[9], 1000 * cuts[18]


def mixed(found: Sequence[str], *, clients: int, seconds: float) -> list[float]:
    """What every request of all clients took."""
    taken: list[float] = []
    until = time.monotonic() + seconds
    falling = [1 / rank for rank in range(1, len(found) + 1)]

    def client(number: int) -> None:
        chance, connection = random.Random(number), http.client.HTTPConnection("127.0.0.1", _PORT)
        while time.monotonic() < until:
            taken.append(ask(connection, chance.choices(found, falling)[0]))

    threads = [threading.Thread(target=client, args=[number]) for number in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return taken


def memory(pid: int) -> int:
    """MiB of resident memory, at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def bench(url: str, *, clients: int, seconds: float) -> None:
    found = addresses(url)
    with server(url) as pid:
        connection = http.client.HTTPConnection("127.0.0.1", _PORT)
        print(f"server at rest: {memory(pid)} MiB")
        print(f"| {'':26} | first, ms: p50 | p95 | again: p50 | p95 |")
        print("| --- | ---: | ---: | ---: | ---: |")
        every: dict[str, list[float]] = {"first": [], "again": []}
        for name, asked in found.items():
            first = [ask(connection, each) for each in asked]
            again = [ask(connection, each) for _ in range(3) for each in asked]
            every["first"] += first
            every["again"] += again
            print(f"| {told(name.ljust(26), first)}{told('', again)} |", flush=True)
        print(f"| {told('all'.ljust(26), every['first'])}{told('', every['again'])} |")
        ranked = zip_longest(*found.values())
        asked = [each for rank in ranked for each in rank if each]
        taken = mixed(asked, clients=clients, seconds=seconds)
        half, most = percentiles(taken)
        print(
            f"\nmixed, {clients} clients: {len(taken) / seconds:,.0f} requests/s; "
            f"p50 {half:.1f} ms, p95 {most:.1f} ms; server at its most {memory(pid)} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="made by tests.big; else one is made and removed")
    parser.add_argument("--runs", type=int, default=60, help="of the database that is made")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    asked = parser.parse_args()
    if asked.database:
        bench(asked.database, clients=asked.clients, seconds=asked.seconds)
        return
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/big.db"
        big.fill(ensure(url), runs=asked.runs, cells_a_run=10_000, groups=10 * asked.runs)
        bench(url, clients=asked.clients, seconds=asked.seconds)


if __name__ == "__main__":
    main()
