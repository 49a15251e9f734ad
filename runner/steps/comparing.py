"""Compares two stored runs: what is known to fail, what was executed again, what explains it."""

from pathlib import Path

from runner.core.diff import Diff, diff
from runner.steps.baselines import required_baseline
from runner.steps.confirming import with_confirmations
from runner.steps.explaining import explain_diff
from runner.steps.knowing import known_between
from runner.store import reads
from runner.store.engine import Engine


def compare_runs(
    engine: Engine,
    baseline: str | None,
    head: str,
    *,
    checkout: Path | None = None,
    onto: str | None = None,
) -> Diff:
    """The diff of two runs, each named by number, unique name, revision or `latest`.

    Without a baseline it is chosen, by the head's merge base in `checkout` with the branch `onto`.
    """
    after, chosen = reads.run(engine, head), None
    if baseline is None:
        chosen = required_baseline(engine, after, checkout=checkout, onto=onto)
    before = chosen.run if chosen else reads.run(engine, baseline or "")
    verdicts = reads.verdicts(engine, after.id)
    known, added = known_between(before, after, verdicts)
    found = diff(
        before,
        after,
        reads.verdicts(engine, before.id),
        verdicts,
        known=known,
        added_skips=added,
        chosen=chosen.why if chosen else None,
    )
    return explain_diff(engine, with_confirmations(engine, found))
