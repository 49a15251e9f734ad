"""A seed: real runs in one small file, for `export-matrix demo`.

It is xz over JSON lines: first what is known of each run, with its cells that have no result, then
an attempt a line, sparse as result files are, those of one cell beside each other, for they are
alike. It is read as any results are: opened, ingested, closed. Times count back from now, so that
the newest run has just ended.
"""

import hashlib
import json
import lzma
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.cells import Cell
from harness.errors import RecordError
from harness.results import Outcome, Result
from runner.core.label import label
from runner.core.runs import CellVerdict, Run, Verdict
from runner.store import reads, writes
from runner.store.attempts import attempts_in
from runner.store.engine import Engine, ensure, upgrade

PACKED = Path(__file__).parents[1] / "demo.jsonl.xz"
_FORMAT = 1
#: folders of the machine that made it, which say nothing elsewhere
_HERE = re.compile(r"/(?:[\w.@+-]+/)+?(?=(?:lib/python3[.\d]*|site-packages|harness)/)")
#: a longer selection is told by its number of cells
_LONGEST = 80


def pack(engine: Engine, refs: Sequence[str], out: Path) -> int:
    """Write these runs, in the order of their numbers, as a seed; how many results it has."""
    runs = sorted((reads.run(engine, ref) for ref in refs), key=lambda run: run.id)
    verdicts = {run.id: reads.verdicts(engine, run.id) for run in runs}
    lines = [{"seed": _FORMAT, "runs": [_header(run, verdicts[run.id]) for run in runs]}]
    cells = sorted({each.cell for found in verdicts.values() for each in found})
    attempts = [
        (result.cell, number, _slim(result, run))
        for number, run in enumerate(runs)
        for result in attempts_in(engine, run.uid, cells)
    ]
    lines += [record | {"run": number} for _, number, record in sorted(attempts, key=_place)]
    with lzma.open(out, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as packed:
        for line in lines:
            text = json.dumps(line, separators=(",", ":"))
            packed.write(f"{_HERE.sub('/', text)}\n")
    return len(attempts)


def _place(each: tuple[Cell, int, dict[str, Any]]) -> tuple[Cell, int, int]:
    return each[0], each[1], each[2].get("attempt", 1)


def _header(run: Run, verdicts: Iterable[CellVerdict]) -> dict[str, Any]:
    short = len(run.selection) <= _LONGEST
    return {
        "uid": run.uid,
        "revision": run.revision,
        "stack": dict(run.stack),
        "selection": run.selection if short else f"{run.expected} cells",
        "started_at": run.started_at.isoformat(),
        "ended_at": (run.closed_at or run.started_at).isoformat(),
        "duration_s": run.duration_s,
        "missing": [each.cell.id for each in verdicts if each.verdict is Verdict.MISSING],
    }


def _slim(result: Result, run: Run) -> dict[str, Any]:
    """Without what a page does not show of it."""
    if result.outcome is Outcome.PASS:
        result = result.replace(log_tail=None)
    record = result.to_record(sparse=True)
    if dict(result.stack) == dict(run.stack):
        record.pop("stack", None)
    for name in ("run", "revision", "signature", "title"):
        record.pop(name, None)
    return record


def made(seed: Path, folder: Path) -> str:
    """URL of the seed's database in a folder; it is made if it is not there yet."""
    name = hashlib.sha256(seed.read_bytes()).hexdigest()[:12]
    path = folder / f"demo-{name}.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as beside:
            new = Path(beside) / "demo.db"
            engine = ensure(f"sqlite:///{new}")
            load(engine, seed)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
            engine.dispose()
            new.replace(path)
    url = f"sqlite:///{path}"
    upgrade(url)  # an earlier version may have made it; nobody would look for it by hand
    return url


def load(engine: Engine, seed: Path) -> None:
    """Add a seed's runs; `RecordError` if the file is none."""
    try:
        with lzma.open(seed, "rt", encoding="utf-8") as packed, TemporaryDirectory() as folder:
            head = json.loads(next(packed))
            if head.get("seed") != _FORMAT:
                raise RecordError(f"{seed} is a seed of another version")
            runs = list(_now(head["runs"]))
            lines = Path(folder) / "results.jsonl"
            cells = _unpacked(packed, runs, lines)
            _ingested(engine, runs, cells, lines)
    except (lzma.LZMAError, EOFError, StopIteration, KeyError, ValueError) as error:
        raise RecordError(f"{seed} is no seed ({error})") from None


def _now(runs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The headers, moved in time together."""
    dated = [
        run | {name: datetime.fromisoformat(run[name]) for name in ("started_at", "ended_at")}
        for run in runs
    ]
    newest = max((run["ended_at"] for run in dated), default=datetime.now(UTC))
    later: timedelta = datetime.now(UTC) - newest
    for run in dated:
        yield run | {name: run[name] + later for name in ("started_at", "ended_at")}


def _unpacked(packed: Iterable[str], runs: Sequence[dict[str, Any]], out: Path) -> list[set[str]]:
    """Writes whole result lines; the cells of each run."""
    cells = [set(run["missing"]) for run in runs]
    with out.open("w", encoding="utf-8") as lines:
        for line in packed:
            record = json.loads(line)
            number = record["run"]
            run = runs[number]
            cells[number].add(record["cell"])
            whole = {"stack": run["stack"], **record}
            whole |= {"run": run["uid"], "revision": run["revision"]}
            lines.write(f"{json.dumps(whole)}\n")
    return cells


def _ingested(
    engine: Engine, runs: Sequence[dict[str, Any]], cells: Sequence[set[str]], lines: Path
) -> None:
    for run, ids in zip(runs, cells, strict=True):
        known = ("uid", "revision", "stack", "selection", "started_at")
        given = {name: run[name] for name in known}
        writes.open_run(engine, cells=map(Cell.parse, ids), **given)
    writes.ingest_file(engine, lines, label=label)
    for run in runs:
        writes.close_run(
            engine, run["uid"], closed_at=run["ended_at"], duration_s=run["duration_s"]
        )
