"""How a result becomes rows and comes back whole.

Its detail is the JSON line without what stands elsewhere: the long texts, the run and the cell, and
the stack where it is the run's own. What a group says (kind, title) is the group's.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.results import Result
from runner.core.runs import CellVerdict, Verdict

_ELSEWHERE = ("traceback", "log_tail", "run", "signature", "title")


def detail(result: Result, *, stack: Mapping[str, str]) -> str:
    """What `whole` needs beside the run, the texts and the group."""
    record = json.loads(result.to_line())
    kept = {name: value for name, value in record.items() if name not in _ELSEWHERE}
    if kept["stack"] == dict(stack):
        del kept["stack"]
    return json.dumps(kept, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The rows of a result."""

    detail: str
    run: str
    stack: Mapping[str, str]
    traceback: str | None
    log: str | None
    signature: str | None
    title: str | None
    kind: str | None


def whole(parts: Parts) -> Result:
    """The result again."""
    record = {"stack": dict(parts.stack), **json.loads(parts.detail)}
    record |= {
        "run": parts.run,
        "traceback": parts.traceback,
        "log_tail": parts.log,
        "signature": parts.signature,
        "title": parts.title,
        "kind": parts.kind or record.get("kind"),
    }
    return Result.from_line(json.dumps(record))


def digest(body: str) -> str:
    """What a text is found by."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def storable(body: str) -> str:
    """The text without what no database takes: NUL and lone surrogates."""
    return body.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8")


def verdict_row(found: CellVerdict) -> dict[str, Any]:
    """The verdict's own columns; keys of other tables are the writer's."""
    return {
        "verdict": found.verdict.value,
        "stage": found.stage,
        "kind": found.kind,
        "reason": None if found.reason is None else storable(found.reason),
        "suspect": found.suspect,
        "attempts": found.attempts,
        "duration_s": found.duration_s,
        "peak_rss_bytes": found.peak_rss_bytes,
        "planned_bytes": found.planned_bytes,
        "max_abs_diff": found.max_abs_diff,
        "carried_from": found.carried_from,
    }


MISSING_ROW: Mapping[str, Any] = {
    "verdict": Verdict.MISSING.value,
    "suspect": False,
    "attempts": 0,
}
