"""How a result becomes rows and comes back whole.

Its detail is the JSON line without what is None and what stands elsewhere: the long texts, the
stack, the run and the cell. What a group says (kind, title) is the group's.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from harness.results import Result, spell
from runner.core.classify import UNCLASSIFIED, classify
from runner.core.plain import storable
from runner.core.runs import CellVerdict, Verdict

_LONGEST_NAME = 200
_LONGEST_KIND = 60
_ELSEWHERE = frozenset({"traceback", "log_tail", "run", "signature", "title", "stack"})


def detail(result: Result) -> str:
    """What `whole` needs beside the run, the texts and the group; the recipe is as JSON has it."""
    record = result.to_record(sparse=True)
    for name in _ELSEWHERE & record.keys():
        del record[name]
    try:
        return orjson.dumps(record).decode()
    except orjson.JSONEncodeError:  # lone surrogates
        return spell(record)


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
    record = {"stack": dict(parts.stack), **_loaded(parts.detail)}
    record |= {
        "run": parts.run,
        "traceback": parts.traceback,
        "log_tail": parts.log,
        "signature": parts.signature,
        "title": parts.title,
        "kind": parts.kind or record.get("kind"),
    }
    return Result.from_record(record)


def _loaded(detail: str) -> Mapping[str, Any]:
    try:
        loaded: Mapping[str, Any] = orjson.loads(detail)
    except orjson.JSONDecodeError:  # lone surrogates
        loaded = json.loads(detail)
    return loaded


def digest(body: str) -> str:
    """The key of a text that is storable."""
    return hashlib.sha256(body.encode()).hexdigest()[:32]


def secret_digest(secret: str) -> str:
    """What is kept of a secret that is told once: a random one of 256 bits needs no salt."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def unopened_run(result: Result) -> dict[str, Any]:
    """What becomes known of a run by a result, if it was planned elsewhere."""
    return {
        "uid": result.run,
        "revision": storable(result.revision)[:_LONGEST_NAME],
        "stack": {storable(name): storable(str(at)) for name, at in result.stack.items()},
        "selection": "",
        "started_at": datetime.now(UTC),
        "expected": 0,
    }


def group_row(result: Result) -> dict[str, Any]:
    """The failure group of a result that has a signature."""
    return {
        "signature": result.signature,
        "title": storable(result.title or ""),
        "kind": _name(result.kind, _LONGEST_KIND) or UNCLASSIFIED,
        "owner": classify(result).owner,
        "stage": result.stage,
    }


def verdict_row(found: CellVerdict) -> dict[str, Any]:
    """The verdict's own columns; keys of other tables are the writer's."""
    return {
        "verdict": found.verdict.value,
        "stage": found.stage,
        "kind": _name(found.kind, _LONGEST_KIND),
        "reason": None if found.reason is None else storable(found.reason),
        "suspect": found.suspect,
        "attempts": found.attempts,
        "duration_s": found.duration_s,
        "peak_rss_bytes": found.peak_rss_bytes,
        "cpu_s": found.cpu_s,
        "planned_bytes": found.planned_bytes,
        "max_abs_diff": found.max_abs_diff,
        "export_s": found.export_s,
        "graph_nodes": found.graph_nodes,
        "carried_from": _name(found.carried_from, _LONGEST_NAME),
    }


def _name(told: str | None, longest: int) -> str | None:
    return None if told is None else storable(told)[:longest]


MISSING_ROW: Mapping[str, Any] = {
    "verdict": Verdict.MISSING.value,
    "suspect": False,
    "attempts": 0,
}
