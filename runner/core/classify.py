"""Why a failure failed: its kind, who owns it, and whether to trust it at once.

The rules are data (`runner/rules.toml`), in order; the first that holds decides. What no rule knows
is `unclassified`, and said so. A pass or a skip has no kind.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from harness.results import Outcome, Result
from runner.core.evidence import Evidence, of_result

UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of the rules file."""

    id: str
    kind: str
    owner: str
    suspect: bool = False
    match: str | None = None
    frames: str | None = None
    innermost: str | None = None
    patched: bool = False
    outcome: tuple[str, ...] = ()
    stage: tuple[str, ...] = ()
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the rules say of a failure."""

    rule: str | None
    kind: str
    owner: str
    suspect: bool = False
    #: op, guard, symbol, dimension, dtype, where the rule captured them
    captures: Mapping[str, str] = field(default_factory=dict)


@cache
def rules() -> tuple[Rule, ...]:
    """The rules, in order."""
    text = files("runner").joinpath("rules.toml").read_text(encoding="utf-8")
    return tuple(_rule(row) for row in tomllib.loads(text)["rule"])


def _rule(row: dict[str, Any]) -> Rule:
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
    }
    return Rule(**fields)


def classify(result: Result) -> Classification:
    """The kind, owner and trust of a result that is no pass."""
    return classify_evidence(of_result(result))


# Asked again by the label, the group and the verdict of one result, and by results alike.
@lru_cache(maxsize=128)
def classify_evidence(evidence: Evidence) -> Classification:
    for rule in rules():
        captures = _holds(rule, evidence)
        if captures is not None:
            return Classification(
                rule=rule.id,
                kind=rule.kind,
                owner=rule.owner,
                suspect=rule.suspect,
                captures=captures,
            )
    return Classification(rule=None, kind=evidence.given or UNCLASSIFIED, owner="unknown")


def _holds(rule: Rule, evidence: Evidence) -> dict[str, str] | None:
    """The rule's captures if all its conditions hold."""
    conditions = (
        (rule.outcome, evidence.outcome),
        (rule.stage, evidence.stage),
        (rule.given, evidence.given),
    )
    if any(wanted and value not in wanted for wanted, value in conditions):
        return None
    if not _came_through(rule, evidence) or (rule.patched and not evidence.patched):
        return None
    if rule.match is None:
        return {}
    found = re.search(rule.match, evidence.message)
    if found is None:
        return None
    return {name.rstrip("2"): text for name, text in found.groupdict().items() if text}


def _came_through(rule: Rule, evidence: Evidence) -> bool:
    """Whether the failure came through the code that the rule names."""
    if rule.frames is None and rule.innermost is None:
        return True
    paths = [frame.path for frame in evidence.frames]
    through = rule.frames is None or any(re.search(rule.frames, path) for path in paths)
    ended = rule.innermost is None or bool(paths and re.search(rule.innermost, paths[-1]))
    return through and ended


@cache
def owner_of(kind: str) -> str:
    """Who owns a kind, where its rules agree; for groups that are read back from history."""
    owners = {rule.owner for rule in rules() if rule.kind == kind}
    return owners.pop() if len(owners) == 1 else "unknown"


def is_failure(result: Result) -> bool:
    """Whether there is anything to classify."""
    return result.outcome not in (Outcome.PASS, Outcome.SKIP)
