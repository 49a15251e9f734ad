"""Compares two stored runs."""

from runner.core.diff import Diff, diff
from runner.store import reads
from runner.store.engine import Engine


def compare_runs(engine: Engine, baseline: str, head: str) -> Diff:
    """The diff of two runs, each named by number, unique name, revision or `latest`."""
    before, after = reads.run(engine, baseline), reads.run(engine, head)
    return diff(
        before,
        after,
        reads.verdicts(engine, before.id),
        reads.verdicts(engine, after.id),
    )
