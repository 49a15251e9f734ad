"""The canary of a run: a sample of its cells once more, each in a cold process, and compared.

Its files lie beside the run's shards, in `canary/`, and its results name no run: they are nobody's
attempts, neither here nor where somebody ingests them. What an interrupt leaves is done on resume.
"""

from collections.abc import Callable
from dataclasses import replace

from harness.terms import Terms
from runner.core.canary import comparable, compare, sample, usual_size
from runner.execute.shard import Executor, Shard
from runner.steps.plans import Plan, executed, results_in, unused_name
from runner.store import writes
from runner.store.engine import Engine

# What a cold process takes besides: imports, the listing of all classes, first exports.
_COLD_S = 300
_COLD_MIB = 1536


def check(  # noqa: PLR0913  (what a run is executed with)
    engine: Engine,
    plan: Plan,
    shard: Shard,
    *,
    size: int | None,
    executor: Executor,
    on_compared: Callable[[int, int], None],
) -> None:
    """Compare `size` cells (None: as many as usual) with cold processes, and keep it with the run.

    `shard` says how the run's cells are run; `on_compared` is told how many have run, and of how
    many.
    """
    forked = comparable(executed(plan))
    chosen = sample(plan.uid, forked, usual_size(len(forked)) if size is None else size)
    if not chosen:
        return
    folder = plan.folder / "canary"
    cold = {result.cell: result for result in results_in(folder)}
    waiting = [cell for cell in chosen if cell not in cold]
    again = replace(
        shard,
        cells=waiting,
        folder=folder,
        name=unused_name(folder),
        run="",
        workers=max(1, min(shard.workers, len(waiting))),
        terms={cell: _cold(shard.terms[cell]) for cell in waiting},
        cold=True,
    )
    on_compared(len(cold), len(chosen))
    for result in executor(again):
        cold[result.cell] = result
        on_compared(len(cold), len(chosen))
    found = compare({cell: forked[cell] for cell in chosen}, cold)
    writes.note_canary(engine, plan.uid, found)


def _cold(terms: Terms) -> Terms:
    return replace(
        terms,
        time_limit_s=terms.time_limit_s + _COLD_S,
        memory_limit_mib=terms.memory_limit_mib + _COLD_MIB,
    )
