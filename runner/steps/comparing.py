"""Compares two stored runs: what is known to fail, what was executed again, what explains it."""

from runner.core.diff import Diff, diff
from runner.steps.confirming import with_confirmations
from runner.steps.explaining import explain_diff
from runner.steps.knowing import known_between
from runner.store import reads
from runner.store.engine import Engine


def compare_runs(engine: Engine, baseline: str, head: str) -> Diff:
    """The diff of two runs, each named by number, unique name, revision or `latest`."""
    before, after = reads.run(engine, baseline), reads.run(engine, head)
    verdicts = reads.verdicts(engine, after.id)
    known, added = known_between(before, after, verdicts)
    found = diff(
        before,
        after,
        reads.verdicts(engine, before.id),
        verdicts,
        known=known,
        added_skips=added,
    )
    return explain_diff(engine, with_confirmations(engine, found))
