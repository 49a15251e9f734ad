"""A database of the size to plan for: 1,000 runs of 10,000 cells, in 10,000 failure groups.

`python -m tests.big URL` writes rows straight to the tables, which takes minutes; ingesting 10⁷
results would take hours. From one night to the next nearly all cells stay as they are: a dozen
failures come, each with a few cells, the oldest go, and some cells are lost for a night.

What isn't like a real database: a cell has few different details, so that `text` is small. Pages
read it by key alone.
"""

import argparse
import random
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.schema import CreateIndex

from harness.cells import Cell, Variant
from runner.core.pull.report import Commits
from runner.core.signature import VERSION
from runner.store import tables
from runner.store.engine import Engine, ensure
from runner.store.folding import summarise
from runner.store.pulls import PullRuns, note_runs
from runner.store.rows import detail, digest
from tests import seed

TYPES = 550
_BACKENDS = ("dynamo", "onnx", "executorch")
_VARIANTS = list(Variant)[:4]
_EDITIONS = 8
#: pull requests, each compared with the night before its own
_PULLS = 24
_OWNERS = {"data-dependent-guard": "transformers", "unsupported-op": "onnx", "mismatch": "pytorch"}
_STAGES = {"data-dependent-guard": "capture", "unsupported-op": "lower", "mismatch": "compare"}
_KINDS = tuple(_OWNERS)


def cells(number: int) -> list[Cell]:
    """So many cells; a model type has one to three classes."""
    found: list[Cell] = []
    classes = -(-number // (len(_VARIANTS) * len(_BACKENDS)))
    for which in range(classes):
        model_type = which * TYPES // max(classes, TYPES)
        name = f"Model{which:04}For{('CausalLM', 'ImageClassification')[which % 2]}"
        found += (
            Cell(f"type_{model_type:03}", name, variant, backend)
            for variant in _VARIANTS
            for backend in _BACKENDS
        )
    return found[:number]


class History:
    """What becomes of the cells, night after night."""

    def __init__(self, cells: int, groups: int, runs: int) -> None:
        self.chance = random.Random(7)
        self.cells = cells
        self.born = max(1, groups // runs)
        self.groups = 0
        #: cell -> its failure group
        self.failing: dict[int, int] = {}
        self.alive: list[int] = []
        for _ in range(self.born * 15):
            self._break()

    def _break(self) -> None:
        self.groups += 1
        self.alive.append(self.groups)
        first = self.chance.randrange(self.cells)
        for cell in range(first, first + self.chance.choice((1, 1, 2, 3, 6, 12, 40))):
            self.failing.setdefault(cell % self.cells, self.groups)

    def night(self) -> dict[int, int | None]:
        """cell -> its group, of those that don't pass tonight; None is a death without one."""
        for _ in range(self.born):
            self._break()
        gone = {self.alive.pop(self.chance.randrange(len(self.alive))) for _ in range(self.born)}
        self.failing = {cell: group for cell, group in self.failing.items() if group not in gone}
        lost = {self.chance.randrange(self.cells): None for _ in range(self.cells // 500)}
        return {**lost, **self.failing}


def fill(engine: Engine, *, runs: int, cells_a_run: int, groups: int) -> None:
    """The history, into an empty database of this schema."""
    history, names = History(cells_a_run, groups, runs), cells(cells_a_run)
    secondary = [index for each in (tables.verdict, tables.result) for index in each.indexes]
    with engine.begin() as connection:
        for index in secondary:
            index.drop(connection)
        copy(connection, tables.cell, list(enumerate((each.id for each in names), 1)))
        details = _texts(connection, names)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=runs)
    for number in range(1, runs + 1):
        with engine.begin() as connection:
            _night(connection, number, history, details, start + timedelta(days=number))
            summarise(connection, number)
    with engine.begin() as connection:
        copy(connection, tables.fingerprint, [
            (number + 1, f"{number:032x}", f"{number:032x}", details[""][0][2], runs)
            for number in range(cells_a_run)
        ])  # fmt: skip
        copy(connection, tables.failure_group, list(map(_group, range(1, history.groups + 1))))
        for index in secondary:
            connection.execute(CreateIndex(index))
        if engine.dialect.name == "postgresql":
            # What rows are given by hand, the sequences don't know.
            for name in ("cell", "failure_group", "run"):
                connection.exec_driver_sql(
                    f"SELECT setval('{name}_id_seq', (SELECT max(id) FROM {name}))"
                )
    for number in range(max(2, runs - _PULLS + 1), runs + 1):
        note_runs(engine, _pull(number))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _pull(number: int) -> PullRuns:
    """A pull request whose head is that night, and whose base the one before."""
    base, head = (f"{zlib.crc32(str(each).encode()):040x}" for each in (number - 1, number))
    return PullRuns(
        repository="huggingface/transformers",
        number=number,
        commits=Commits(run=head, head=head, base=base),
        baseline_run=f"night-{number - 1}",
        head_run=f"night-{number}",
    )


def _group(number: int) -> tuple[Any, ...]:
    kind = _KINDS[number % 3]
    title = f"GuardOnDataDependentSymNode: Could not guard on Eq(u{number}, <int>)"
    return number, f"s{VERSION}-{number:012x}", title, kind, _OWNERS[kind], _STAGES[kind]


def _texts(connection: Connection, names: Sequence[Cell]) -> dict[str, list[list[str]]]:
    """Writes what results point to; outcome -> cell -> digests of its details."""
    bodies: dict[str, str] = {}
    found: dict[str, list[list[str]]] = {"pass": [], "fail": [], "": [[]]}
    for cell in names:
        made = seed.result(Cell("bert", "BertModel", cell.variant, "dynamo"), "5.23.0")
        for outcome in ("pass", "fail"):
            editions = [
                detail(made.replace(cell=cell, durations_s={"capture": 1 + edition / 8}))
                for edition in range(_EDITIONS if outcome == "pass" else 1)
            ]
            bodies |= {digest(body): body for body in editions}
            found[outcome].append([digest(body) for body in editions])
    trace = seed.result(Cell("mixtral", "MixtralModel", _VARIANTS[1], "dynamo"), "5.23.0").traceback
    for body in (
        trace or "",
        str(seed.STACK).replace("'", '"'),
        '["transformers.models.bert:Bert"]',
    ):
        bodies[digest(body)] = body
        found[""][0].append(digest(body))
    copy(connection, tables.text, list(bodies.items()))
    return found


def _night(
    connection: Connection,
    number: int,
    history: History,
    details: dict[str, list[list[str]]],
    at: datetime,
) -> None:
    failing, chance = history.night(), history.chance
    trace, stack, _ = details[""][0]
    verdicts, results = [], []
    for cell in range(history.cells):
        group = failing.get(cell)
        outcome = "skip" if cell % 40 == 0 else "crash" if cell in failing else "pass"
        outcome = "fail" if group is not None and outcome == "crash" else outcome
        group = group if outcome == "fail" else None
        kind = _KINDS[group % 3] if group is not None else None
        stage = _STAGES[kind] if kind else "lower" if outcome == "crash" else None
        spent = 1.0 + chance.random()
        carried = f"night-{number - number % 5}" if number % 5 and outcome == "pass" else None
        # in the order of the columns
        verdicts.append(
            (number, cell + 1, outcome, stage, kind, group, None, outcome == "crash", 1, spent,
             90_000_000 + cell, 8_000_000 + cell, 1e-6 * spent, spent / 2, 200 + cell % 400,
             spent, carried)
        )  # fmt: skip
        known = details["pass" if outcome == "pass" else "fail"][cell]
        results.append(
            (number, cell + 1, 1, outcome, stage, group, known[number % len(known)], stack,
             trace if outcome == "fail" else None, None)
        )  # fmt: skip
    run = {
        "id": number,
        "uid": f"night-{number}",
        "revision": f"{zlib.crc32(str(number).encode()):012x}",
        "stack": {**seed.STACK, "torch": f"2.{10 + number // 300}.0+cpu"},
        "selection": "all",
        "started_at": at,
        "closed_at": at + timedelta(hours=3),
        "expected": history.cells,
        "duration_s": 10_800.0,
    }
    connection.execute(insert(tables.run).values(**run))
    copy(connection, tables.verdict, verdicts)
    copy(connection, tables.result, results)


def copy(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of all columns, by each database's fastest way in."""
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as out:
            for row in rows:
                out.write_row(row)
        return
    marks = ", ".join("?" for _ in table.columns)
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=10_000)
    asked = parser.parse_args()
    fill(ensure(asked.url), runs=asked.runs, cells_a_run=asked.cells, groups=asked.groups)


if __name__ == "__main__":
    main()
