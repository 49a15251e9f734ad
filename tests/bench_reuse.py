"""`make bench`: how long a run takes in which nothing changed, and where the time goes.

A database gets a finished run of `all` at the installed Transformers, as every run is finished:
real classes and real fingerprints, synthetic results. (What a model is made of is read from its
class here, not from the model.) Then `export-matrix run all --audit 0` runs in a process of its
own, and executes nothing. The seconds are those from command to summary; a phase's do not hold
those of the phases within it; the peak is the runner's memory.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from harness.cells import Cell, Variant
from harness.results import Outcome, Result
from harness.zoo.base import TRANSFORMERS
from runner.core.label import label
from runner.execute.shard import Shard
from runner.revisions import INSTALLED, resolve
from runner.steps import running
from runner.steps.reusing import Reuse
from runner.steps.selecting import Asked, model_classes, select
from runner.store.engine import ensure
from tests import seed
from tests.bench_ingest import fresh, server

#: phase -> the function whose time it is, as its caller finds it
_PHASES = {
    "selecting": "runner.cli.running:select",
    "planning": "runner.cli.running:running.start",
    "opening": "runner.steps.running:writes.open_run",
    "executing": "runner.cli.running:running.execute",
    "looking up": "runner.steps.reusing:store.remembered",
    "reading the sources": "runner.steps.reusing:fingerprints",
    "reading results": "runner.steps.reusing:attempts_in",
    "carrying over": "runner.steps.reusing:Reuse.carry",
    "ingesting": "runner.steps.running:writes.ingest_results",
    "remembering": "runner.steps.reusing:Reuse.close",
    "closing": "runner.steps.running:writes.close_run",
}
_REST = "starting and the rest"


class Phases:
    """Seconds by phase; the innermost that runs has them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [_REST]
        self._since = time.time()

    def enter(self, phase: str) -> None:
        self._note()
        self._inside.append(phase)

    def leave(self) -> None:
        self._note()
        self._inside.pop()

    def watch(self, phase: str, place: str) -> None:
        """Put a function in the place of the one that is named, which does the same."""
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner: Any = importlib.import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, self._timed(phase, getattr(owner, name)))

    def _note(self) -> None:
        now = time.time()
        self.seconds[self._inside[-1]] += now - self._since
        self._since = now

    def _timed(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def timed(*given: Any, **named: Any) -> Any:  # noqa: ANN401  (whatever the function takes)
            self.enter(phase)
            try:
                made = function(*given, **named)
            finally:
                self.leave()
            return self._each(phase, made) if isinstance(made, Iterator) else made

        return timed

    def _each(self, phase: str, made: Iterator[Any]) -> Iterator[Any]:
        """A generator works while it is asked for more."""
        while True:
            self.enter(phase)
            try:
                each = next(made)
            except StopIteration:
                return
            finally:
                self.leave()
            yield each


def run_all(report: Path, arguments: list[str]) -> None:
    """The real command, in this process, with its phases watched."""
    phases = Phases()
    from runner.cli import app

    for phase, place in _PHASES.items():
        phases.watch(phase, place)
    try:
        app(["run", "all", "--audit", "0", *arguments])
    finally:
        phases.enter("")
        report.write_text(json.dumps(phases.seconds))


def finish_a_run(url: str, folder: Path) -> int:
    """A finished run of everything, without executing it; how many cells could be carried."""
    engine = ensure(url)
    selected = select(Asked(words=["all"]))
    revision = resolve(INSTALLED, cache=folder)
    plan = running.start(
        engine, selected, revision, folder=folder, drafted={"selection": "all", "zoo": TRANSFORMERS}
    )
    modules = {(each.model_type, each.name): each.module for each in model_classes(TRANSFORMERS)}

    def executor(shard: Shard) -> Iterator[Result]:
        shard.folder.mkdir(exist_ok=True)
        with shard.results.open("a") as out:
            for cell in shard.cells:
                module = modules[cell.model_type, cell.model_class]
                found = _result(cell, f"{module}:{cell.model_class}", plan.stack)
                found = label(found.replace(run=shard.run, revision=shard.revision))
                out.write(f"{found.to_line()}\n")
                yield found

    reuse = Reuse(engine, plan, cache=folder, percent=0)
    room = running.Room()
    running.execute(engine, plan, room, reuse=reuse, executor=executor)
    engine.dispose()
    return len(selected.cells) - len(selected.skips)


def _result(cell: Cell, made_of: str, stack: Mapping[str, str]) -> Result:
    """A pass or a failure about as long as real ones: six outputs, patches, a configuration."""
    like = seed.result(cell, "")
    if like.outcome not in (Outcome.PASS, Outcome.FAIL):
        like = seed.result(Cell("bert", "BertModel", Variant.FORWARD_STATIC, "dynamo"), "")
    parts = (
        replace(part, outputs=part.outputs * 6, patches=part.patches * 10)
        for part in like.components
    )
    settings = {f"setting_{number}": number for number in range(60)}
    recipe = {"seed": 7, "configuration": settings, "made_of": [made_of]}
    return like.replace(cell=cell, components=tuple(parts), stack=stack, recipe=recipe)


def bench(name: str, url: str, folder: Path) -> None:
    began = time.time()
    carried = finish_a_run(url, folder / ".export-matrix")
    print(f"{name}: a run of {carried:,} cells made in {time.time() - began:.0f} s", flush=True)
    for _ in range(2):
        report = folder / "phases.json"
        command = [sys.executable, "-m", "tests.bench_reuse", "--report", str(report), "--into"]
        root = str(Path(__file__).parents[1])
        began, load = time.time(), os.getloadavg()[0]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [*command, url],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": root},  # noqa: TID251  (handed on)
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.time() - began
        if done.returncode:
            sys.exit(done.stderr)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        told = json.loads(done.stdout)
        print(
            f"  {told['received']:,} cells, {told['audit']['carried']:,} carried: {wall:.1f} s, "
            f"CPU {cpu:.1f} s, load {load:.1f}, peak {after.ru_maxrss / 1024:.0f} MiB"
        )
        phases = json.loads(report.read_text())
        for phase, seconds in sorted(phases.items(), key=lambda each: -each[1]):
            print(f"    {phase:24} {seconds:6.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", help="the run itself: the database")
    parser.add_argument("--report", type=Path, help="the run itself: where its phases go")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    if asked.into:
        run_all(asked.report, ["--json", "--database", asked.into])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.only != "postgresql":
            bench("SQLite", f"sqlite:///{folder}/matrix.db", folder)
        if asked.only != "sqlite":
            with server() as url:
                bench("PostgreSQL", fresh(url), folder)


if __name__ == "__main__":
    main()
