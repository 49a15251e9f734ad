"""The cells of a run that a query means; what it asks beyond their verdicts is looked up."""

from collections.abc import Mapping, Sequence

from harness.cells import Cell, Variant
from runner.core.change import compare
from runner.core.known import Standing as Known
from runner.core.nights import Night
from runner.core.query.nodes import STATES, Facts, Past, Query, Sibling, Standing
from runner.core.runs import CellVerdict, Run, Verdict
from runner.core.select import GROUP_KEYS, NOBODY, RUN_KEYS
from runner.core.triage import UNTOUCHED
from runner.steps.explaining import explain_groups
from runner.steps.knowing import known_of
from runner.store import history, reads
from runner.store.engine import Engine
from runner.store.regrouping import regrouping
from runner.store.triages import triages

_RUNS = 20
_EVERY_FLAKY = 100_000
_NO_GROUP: Mapping[str, str] = {}


def search(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict], query: Query
) -> list[CellVerdict]:
    """Those of a run's verdicts that the query means."""
    others = _by_case(verdicts) if query.asks(Sibling) else {}
    past = history.recent(engine, run, last=_RUNS) if query.asks(Past) else {}
    states = _states(engine, run, verdicts) if query.asks(Standing) else {}
    asked = [key for key in GROUP_KEYS if query.names(key)]
    told = _told(engine, run, verdicts, whose="owner" in asked) if asked else {}
    said = _said(run)
    return [
        found
        for found in verdicts
        if query.matches(
            Facts(
                cell=found.cell,
                found=found,
                # Each look takes as long as the rest: only where there is something to find.
                siblings=others.get(_case(found.cell), {}) if others else {},
                past=past.get(found.cell, ()) if past else (),
                states=states.get(found.cell, frozenset()) if states else frozenset(),
                group=told.get(found.cell, _NO_GROUP) if told else _NO_GROUP,
                run=said,
            )
        )
    ]


def concerns(query: Query, run: Run) -> bool:
    """Whether it can mean a cell of that run, by what it says of runs."""
    return query.matches(Facts(run=_said(run)))


def asks_runs(query: Query) -> bool:
    """Whether it says anything of runs."""
    return any(map(query.names, RUN_KEYS))


def _said(run: Run) -> Mapping[str, tuple[str, ...]]:
    """key of `RUN_KEYS` -> what holds of the run."""
    return {"stack": stack_names(run), "revision": (run.revision,)}


def stack_names(run: Run) -> tuple[str, ...]:
    """What a run's stack can be asked by: `torch==2.13.0`, or a night's `torch-nightly`."""
    night = Night.of(run)
    named = (night.stack,) if night else ()
    return (*named, *(f"{package}=={at}" for package, at in run.stack.items()))


def _case(cell: Cell) -> tuple[str, str, Variant]:
    return cell.model_type, cell.model_class, cell.variant


def _by_case(
    verdicts: Sequence[CellVerdict],
) -> Mapping[tuple[str, str, Variant], Mapping[str, Verdict]]:
    cases: dict[tuple[str, str, Variant], dict[str, Verdict]] = {}
    for found in verdicts:
        cases.setdefault(_case(found.cell), {})[found.cell.backend] = found.verdict
    return cases


def _told(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict], *, whose: bool
) -> Mapping[Cell, Mapping[str, str]]:
    """What is said now of the group that each cell is told in; whose it is, if that is asked."""
    rules = regrouping(engine)
    groups = {each.cell: rules.of(each.signature, each.cell) for each in verdicts if each.signature}
    said = triages(engine, set(groups.values()))
    explained = explain_groups(engine, run, verdicts)[0] if whose else []
    owners = {each.signature: {"owner": each.owner} for each in explained}

    def of(name: str) -> Mapping[str, str]:
        found = said.get(name, UNTOUCHED)
        own = {"state": found.state.value, "assignee": found.assignee or NOBODY}
        return own | owners.get(name, {})

    facts = {name: of(name) for name in set(groups.values())}
    return {cell: facts[name] for cell, name in groups.items()}


def _states(
    engine: Engine, run: Run, verdicts: Sequence[CellVerdict]
) -> Mapping[Cell, frozenset[str]]:
    """How each cell stands, in the words of `STATES`."""
    baseline = reads.previous_complete(engine, run)
    before = {each.cell: each for each in reads.verdicts(engine, baseline.id)} if baseline else {}
    known = known_of(run, verdicts).cells
    flaky = {cell for cell, _ in history.flakiest(engine, last=_RUNS, limit=_EVERY_FLAKY)}
    better = (Known.BETTER, Known.STALE)

    def of(found: CellVerdict) -> frozenset[str]:
        standing = known[found.cell].standing if found.cell in known else None
        holds = {
            "carried": found.carried_from is not None,
            "suspect": found.suspect,
            "flaky": found.verdict is Verdict.FLAKY or found.cell in flaky,
            "known": standing is Known.AS_EXPECTED,
            "stale-skip": standing in better,
        }
        states = {name for name, so in holds.items() if so}
        if baseline:
            states.add(compare(before.get(found.cell), found))
        return frozenset(states & STATES.keys())

    return {found.cell: of(found) for found in verdicts}
