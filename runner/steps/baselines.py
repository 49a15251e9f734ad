"""Chooses the baseline of a run where nobody names it."""

import re
from pathlib import Path

from harness.errors import SelectionError
from runner.core.baseline import Ancestry, Baseline, choose
from runner.core.runs import Run
from runner.revisions.ancestry import ancestry
from runner.settings import settings
from runner.store import reads
from runner.store.engine import Engine

_COMMIT = re.compile("[0-9a-f]{12}")


def baseline_of(
    engine: Engine, head: Run, *, checkout: Path | None = None, onto: str | None = None
) -> Baseline | None:
    """The run to compare with: by the merge base, if `checkout` (or the setting) has the commit."""
    checkout = checkout or settings().checkout
    lineage: Ancestry | None = None
    if checkout and _COMMIT.fullmatch(head.revision):
        lineage = ancestry(checkout, head.revision, onto=onto)
    names = lineage.names if lineage else ()
    return choose(head, reads.baselines(engine, head, names), lineage)


def required_baseline(
    engine: Engine, head: Run, *, checkout: Path | None = None, onto: str | None = None
) -> Baseline:
    """The same; `SelectionError` if there is none."""
    found = baseline_of(engine, head, checkout=checkout, onto=onto)
    if found is None:
        raise SelectionError(
            f"run {head.id} ({head.revision}) has no complete run of another revision to be "
            "compared with; name one, or make one with: export-matrix run --revision REVISION"
        )
    return found
