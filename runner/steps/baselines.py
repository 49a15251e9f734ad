"""Chooses the baseline of a run where nobody names it."""

import re
from dataclasses import replace
from pathlib import Path

from harness.errors import RevisionError, SelectionError
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
    lineage, lacking = _lineage(head, checkout, onto)
    names = lineage.names if lineage else ()
    found = choose(head, reads.baselines(engine, head, names), lineage)
    return found and replace(found, why=found.why + lacking)


def _lineage(head: Run, checkout: Path | None, onto: str | None) -> tuple[Ancestry | None, str]:
    """Where a commit comes from, or why that is not known; what a user names must have it."""
    usual = settings().checkout
    if not _COMMIT.fullmatch(head.revision) or not (checkout or usual):
        return None, ""
    try:
        return ancestry(checkout or usual or Path(), head.revision, onto=onto), ""
    except RevisionError as error:
        if checkout:
            raise
        return None, f"; its merge base is not known: {error}"


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
