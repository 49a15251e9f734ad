"""Which cells of a run are executed once more in cold processes, and what comes of comparing them.

A forked child inherits what its zygote imported and exported before. If that decides an outcome,
or a single byte of a program, it is an error of ours, and the run's other results are in doubt.

1. Compared is what this run executed once and what was trusted at once: no suspect, nothing flaky
   or carried over, no skip, nothing that the harness broke on.
2. The sample is the same each time for a run. It is spread over the backends, and within each over
   the variants.
3. Two results are the same if outcome, stage, signature and the digests of all programs are.
4. A cold process that came to no end of its own (a death, a harness that broke) says nothing: the
   cell is not compared, and that is counted.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from harness.cells import Cell
from harness.results import Outcome, Result
from runner.core.classify import classify
from runner.core.runs import Canary

#: cells of a canary, once a run executes enough of them
CELLS = 20
#: A cold process takes 4 to 5 times as long as a forked child: a canary costs a run 20 % at most,
#: and one of fewer than 25 cells, which a laptop runs for a look, nothing.
_ONE_OF = 25
_DEATHS = (Outcome.CRASH, Outcome.TIMEOUT, Outcome.OOM)


def usual_size(executed: int) -> int:
    """Cells of a canary where nobody says how many."""
    return min(CELLS, executed // _ONE_OF)


def comparable(results: Iterable[Result]) -> dict[Cell, Result]:
    """The results of forked cells that can be compared: rule 1."""
    found: dict[Cell, list[Result]] = {}
    for result in results:
        found.setdefault(result.cell, []).append(result)
    return {cell: all_[0] for cell, all_ in found.items() if len(all_) == 1 and _trusted(all_[0])}


def _trusted(result: Result) -> bool:
    if result.outcome is Outcome.SKIP or result.carried_from or _says_nothing(result):
        return False
    return result.outcome is Outcome.PASS or not classify(result).suspect


def _says_nothing(result: Result) -> bool:
    broken = result.outcome is Outcome.ERROR and result.stage is None
    return broken or result.outcome in _DEATHS


def sample(run: str, cells: Iterable[Cell], size: int) -> list[Cell]:
    """At most `size` of the cells: rule 2."""
    waiting = sorted(cells, key=lambda cell: hashlib.sha256(f"{run} {cell.id}".encode()).digest())
    taken: Counter[object] = Counter()
    chosen: list[Cell] = []
    while waiting and len(chosen) < size:
        rarest = min(waiting, key=lambda cell: [taken[kind] for kind in _kinds(cell)])
        waiting.remove(rarest)
        taken.update(_kinds(rarest))
        chosen.append(rarest)
    return chosen


def _kinds(cell: Cell) -> tuple[object, ...]:
    return cell.backend, (cell.backend, cell.variant)


def compare(forked: Mapping[Cell, Result], cold: Mapping[Cell, Result]) -> Canary:
    """How the forked cells compare with the cold ones: rules 3 and 4."""
    same: list[str] = []
    differ: dict[str, str] = {}
    not_compared: dict[str, str] = {}
    for cell in sorted(forked):
        other = cold.get(cell)
        if other is None or _says_nothing(other):
            not_compared[cell.id] = (other and other.reason) or "no result"
        elif difference := _difference(forked[cell], other):
            differ[cell.id] = difference
        else:
            same.append(cell.id)
    return Canary(same=same, differ=differ, not_compared=not_compared)


def _difference(forked: Result, cold: Result) -> str | None:
    if _story(forked) != _story(cold):
        return f"{_told(forked)} where forked, {_told(cold)} in a cold process"
    programs, others = _programs(forked), _programs(cold)
    names = [name for name in programs | others if programs.get(name) != others.get(name)]
    return f"another program in a cold process: {', '.join(names)}" if names else None


def _story(result: Result) -> tuple[object, ...]:
    return result.outcome, result.stage, result.signature


def _told(result: Result) -> str:
    where = f" at {result.stage}" if result.stage else ""
    return f"{result.outcome}{where}" + (f" ({result.title})" if result.title else "")


def _programs(result: Result) -> dict[str, str | None]:
    return {part.name: part.digest for part in result.components}


def merged(before: Canary, after: Canary) -> Canary:
    """Both, the later one where they speak of the same cell: shares of a run come one by one."""
    told = {*after.same, *after.differ, *after.not_compared}

    def kept(found: Mapping[str, str]) -> dict[str, str]:
        return {cell: why for cell, why in found.items() if cell not in told}

    return Canary(
        same=sorted({*before.same} - told | {*after.same}),
        differ=kept(before.differ) | dict(after.differ),
        not_compared=kept(before.not_compared) | dict(after.not_compared),
    )
