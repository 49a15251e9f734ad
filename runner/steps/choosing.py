"""Which failure is meant by a failure group, and which of its cells is the smallest.

A group is named by its signature, or the beginning of it, or by its place in the list of the newest
run's groups, the largest first. Of its cells in the newest run that has it, the one that costs
least is chosen: the backend and variant that do least, then parameters, nodes, seconds.
"""

import math
from collections import Counter
from collections.abc import Sequence

from harness.cells import Variant
from harness.errors import SelectionError, nearest
from harness.zoo.base import PROVIDERS, TRANSFORMERS
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.signature import is_current
from runner.steps.explaining import explain_group
from runner.steps.searching import Wanted
from runner.store import reads
from runner.store.attempts import attempts_at
from runner.store.engine import Engine
from runner.store.regrouping import became, cells_in, groups, membership, span

#: what is ours, and what is a matter of a limit
_SHOWS_NOTHING = (Verdict.ERROR, Verdict.TIMEOUT, Verdict.OOM)
_CHEAPEST = ("dynamo", "onnx", "openvino", "executorch")
#: cells whose results are read for their sizes
_LOOKED_AT = 24
_SHORTEST_PREFIX = 6


def choose(engine: Engine, named: str) -> tuple[Wanted, Run]:
    """The group's smallest failure, and the run that it is from."""
    signature = _signature(engine, named)
    if not is_current(signature):
        raise SelectionError(f"{signature} is of another version; run: export-matrix db resign")
    members = membership(engine, signature)
    life = span(engine, members)
    if life is None:
        raise SelectionError(f"failure group {signature} is in no run any more")
    failed = cells_in(engine, members, life.last.id)
    if all(each.verdict in _SHOWS_NOTHING for each in failed):
        first = failed[0]
        raise SelectionError(
            f"the cells of {signature} end as `{first.verdict}`: nothing smaller would show it; "
            f"the whole script: export-matrix reproduce {first.cell.id}"
        )
    told = explain_group(engine, life.last, failed)
    shown = [each for each in failed if each.verdict not in _SHOWS_NOTHING]
    cell, zoo = _smallest(engine, life.last, shown)
    wanted = Wanted(
        cell=cell.cell,
        zoo=zoo,
        # its own, where groups were merged or split: that is what a script can show
        signature=cell.signature,
        stage=cell.stage,
        owner=told.owner if told.owner.decided else None,
        shared=Counter(each.cell.model_type for each in failed),
    )
    return wanted, life.last


def _signature(engine: Engine, named: str) -> str:
    found = [each.signature for each in groups(engine, reads.run(engine, "latest").id)]
    if named.isascii() and named.isdecimal():
        if 0 < int(named) <= len(found):
            return found[int(named) - 1]
        raise SelectionError(f"the newest run has no group {named}, only {len(found)}")
    now = became(engine, named) or named
    if reads.named_group(engine, now):
        return now
    alike = [each for each in found if each.startswith(named)]
    if len(alike) == 1 and len(named) >= _SHORTEST_PREFIX:
        return alike[0]
    raise SelectionError(
        f"{named!r} is neither a cell id nor a failure group{nearest(named, found)}; "
        "`export-matrix unlock` lists those of a run"
    )


def _smallest(engine: Engine, run: Run, failed: Sequence[CellVerdict]) -> tuple[CellVerdict, str]:
    """The cell, and the zoo that made its case."""
    looked_at = sorted(failed, key=lambda each: (*_costs(each), each.duration_s or math.inf))
    sized = [(each, _made(engine, run, each)) for each in looked_at[:_LOOKED_AT]]
    cell, (_, provider) = min(sized, key=lambda pair: (*_costs(pair[0]), pair[1][0]))
    return cell, PROVIDERS.get(provider, TRANSFORMERS)


def _costs(each: CellVerdict) -> tuple[int, int]:
    backend = each.cell.backend
    order = _CHEAPEST.index(backend) if backend in _CHEAPEST else len(_CHEAPEST)
    return order, list(Variant).index(each.cell.variant)


def _made(engine: Engine, run: Run, each: CellVerdict) -> tuple[tuple[float, ...], str]:
    """How large it is (components, parameters, nodes, seconds), and who made its case."""
    attempts = attempts_at(engine, run.id, each.cell)
    if not attempts:
        return (math.inf,) * 4, ""
    last = attempts[-1]
    parameters = last.recipe.get("parameters", math.inf)
    nodes = sum(part.graph_nodes or 0 for part in last.components)
    size = (len(last.components), parameters, nodes, last.duration_s)
    return size, last.provider
