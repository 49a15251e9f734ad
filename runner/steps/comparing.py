"""Compares two stored runs: what is known to fail, what was executed again, what explains it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runner.core.diff import Diff, diff
from runner.core.numbers import apart
from runner.core.numbers import moved as moved_numbers
from runner.steps.baselines import required_baseline
from runner.steps.confirming import with_confirmations
from runner.steps.explaining import explain_diff
from runner.steps.knowing import judged, rows_between
from runner.steps.triaging import said_of
from runner.store import moved, reads
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
    read: Callable[[Engine, int, int], moved.Sides] = moved.whole,
) -> Diff:
    """The diff of two runs, each named by number, unique name, revision or `latest`.

    Without a baseline it is chosen, by the head's merge base in `checkout` with the branch `onto`.
    `shared`: what the head did not mean to run is left out, instead of being told as removed.
    `read` reads both runs; what it leaves out came to the same in both, and is counted.
    """
    after, chosen = reads.run(engine, head), None
    if baseline is None:
        chosen = required_baseline(engine, after, checkout=checkout, onto=onto)
    before = chosen.run if chosen else reads.run(engine, baseline or "")
    rows, added = rows_between(before, after)
    # Any cell may be better than a row says, or as it says.
    read = moved.whole if rows else read
    sides, rules = read(engine, before.id, after.id), regrouping(engine)
    earlier, verdicts = (list(map(rules.told, side)) for side in (sides.before, sides.after))
    if shared:
        meant = {each.cell for each in verdicts}
        earlier = [each for each in earlier if each.cell in meant]
    found = diff(
        before,
        after,
        earlier,
        verdicts,
        known=judged(rows, after, verdicts),
        added_skips=added,
        chosen=chosen.why if chosen else None,
        alike=sides.alike,
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
    return replace(found, numbers=moved_numbers(numbers, before=before, after=after))
