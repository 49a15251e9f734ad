"""A diff as JSON: the contract of `diff --format json`."""

from typing import Any

from runner.core.change import Change
from runner.core.confirm import Confirmation
from runner.core.diff import Diff
from runner.core.known import KnownCell
from runner.core.runs import CellVerdict, Run


def record_of(diff: Diff) -> dict[str, Any]:
    """What `diff --format json` prints."""
    return {
        "baseline": _run(diff.baseline) | {"chosen": diff.chosen},
        "head": _run(diff.head),
        "complete": diff.complete,
        "counts": {change.value: count for change, count in diff.counts.items()},
        "stack": diff.stack_changes,
        "known": {
            "counts": diff.known.counts,
            "excused": {change: n for change in Change if (n := diff.excused(change))},
            "entries": [entry.to_json() for entry in diff.known.entries],
            "added_skips": [
                {"place": row.place, "cells": row.cells, "reason": row.reason}
                for row in diff.added_skips
            ],
        },
        "confirmed": {
            outcome: [item.cell.id for item in cells] for outcome, cells in diff.confirmed.items()
        },
        "numbers": {
            "moved": [
                {
                    "cell": each.cell.id,
                    "measure": each.measure,
                    "before": each.before,
                    "after": each.after,
                    "noise": each.noise,
                    "runs": each.runs,
                }
                for each in diff.numbers.moved
            ],
            "too_few": diff.numbers.too_few,
        },
        "groups": [
            {
                "change": group.change,
                "signature": group.signature,
                "title": group.title,
                "owner": group.owner and group.owner.name,
                "evidence": group.owner and group.owner.evidence,
                "cells": [item.cell.id for item in group.cells],
                "causes": [
                    {"root": item.cell.id, "dependants": [each.cell.id for each in others]}
                    for item, others in group.causes
                ],
            }
            for group in diff.groups
        ],
        "cells": [
            {
                "cell": item.cell.id,
                "change": item.change,
                "reason": item.reason,
                "before": _verdict(item.before),
                "after": _verdict(item.after),
                "known": _known(item.known),
                "root": item.root and item.root.id,
                "confirmation": _confirmation(item.confirmation),
            }
            for item in diff.cells
        ],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "run": run.uid,
        "revision": run.revision,
        "expected": run.expected,
        "received": run.received,
    }


def _verdict(found: CellVerdict | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "verdict": found.verdict,
        "stage": found.stage,
        "kind": found.kind,
        "signature": found.signature,
        "title": found.title,
        "max_abs_diff": found.max_abs_diff,
    }


def _known(found: KnownCell | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"standing": found.standing, "place": found.row.place, "why": found.why}


def _confirmation(found: Confirmation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "outcome": found.outcome,
        "why": found.why,
        "before": dict(found.before),
        "after": dict(found.after),
    }
