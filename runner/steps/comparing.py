"""Compares two stored runs: what is known to fail, what was executed again, what explains it."""

from dataclasses import replace
from pathlib import Path

from runner.core.diff import Diff, diff
from runner.core.numbers import apart, moved
from runner.steps.baselines import required_baseline
from runner.steps.confirming import with_confirmations
from runner.steps.explaining import explain_diff
from runner.steps.knowing import known_between
from runner.steps.triaging import said_of
from runner.store import reads
from runner.store.engine import Engine
from runner.store.measured import measured
from runner.store.regrouping import regrouping


def compare_runs(  # noqa: PLR0913  (which runs, and how)
    engine: Engine,
    baseline: str | None,
    head: str,
    *,
    checkout: Path | None = None,
    onto: str | None = None,
    shared: bool = False,
) -> Diff:
    """The diff of two runs, each named by number, unique name, revision or `latest`.

    Without a baseline it is chosen, by the head's merge base in `checkout` with the branch `onto`.
    `shared`: what the head did not mean to run is left out, instead of being told as removed.
    """
    after, chosen = reads.run(engine, head), None
    if baseline is None:
        chosen = required_baseline(engine, after, checkout=checkout, onto=onto)
    before = chosen.run if chosen else reads.run(engine, baseline or "")
    rules = regrouping(engine)
    verdicts, earlier = (
        [rules.told(each) for each in reads.verdicts(engine, run.id)] for run in (after, before)
    )
    if shared:
        meant = {each.cell for each in verdicts}
        earlier = [each for each in earlier if each.cell in meant]
    known, added = known_between(before, after, verdicts)
    found = diff(
        before,
        after,
        earlier,
        verdicts,
        known=known,
        added_skips=added,
        chosen=chosen.why if chosen else None,
    )
    found = replace(found, said=said_of(engine, _signatures(found), after))
    return with_numbers(engine, explain_diff(engine, with_confirmations(engine, found)))


def _signatures(found: Diff) -> set[str]:
    """Of all failure groups that a diff tells of, or counts."""
    sides = (side for item in found.cells for side in (item.before, item.after))
    return {side.signature for side in sides if side and side.signature}


def with_numbers(engine: Engine, found: Diff) -> Diff:
    """The diff with the numbers that moved beyond the noise that earlier runs show."""
    numbers = apart((item.before, item.after) for item in found.cells)
    cells = {each.cell for each in numbers}
    if not cells:
        return found
    before = measured(engine, found.baseline, cells, history=True)
    after = measured(engine, found.head, cells, history=False)
    return replace(found, numbers=moved(numbers, before=before, after=after))
