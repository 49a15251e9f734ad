"""The same report as a check run and as JSON.

What isn't known is never green: an incomplete report concludes `action_required`, which no branch
protection takes for a success, as it would `neutral`.
"""

from collections.abc import Iterator
from typing import Any

from runner.core.diff import CellChange
from runner.core.inline import arrow
from runner.core.pull.comment import parts, reproduce
from runner.core.pull.fitting import fitted
from runner.core.pull.quoting import one_line
from runner.core.pull.report import Report, State
from runner.core.pull.sections import Group

NAME = "Export Matrix"
_CONCLUSIONS = {
    State.NOTHING: "cancelled",
    State.REGRESSED: "failure",
    State.INCOMPLETE: "action_required",
    State.CLEAN: "success",
}
#: GitHub's bounds: bytes of a summary and of a text, annotations in one request
_TEXT_BYTES = 65_000
_ANNOTATIONS = 50
_NAMED = 20


def as_check(told: Report) -> dict[str, Any]:
    """The body of GitHub's check-run requests; the commit is the branch's last."""
    body: dict[str, Any] = {
        "name": NAME,
        "head_sha": told.facts.commits.head,
        "status": "in_progress" if told.state is State.PENDING else "completed",
        "external_id": f"{told.facts.number}:{told.facts.commits.run}",
        "output": {
            "title": one_line(told.headline),
            "summary": _summary(told),
            "text": _text(told),
            "annotations": list(_annotations(told))[:_ANNOTATIONS],
        },
    }
    if told.facts.page:
        body["details_url"] = told.facts.page
    if told.state is not State.PENDING:
        body["conclusion"] = _CONCLUSIONS[told.state]
    return body


def _summary(told: Report) -> str:
    annotated = sum(1 for _ in _annotations(told))
    lines = [told.headline]
    if told.lacking:
        lines += ["", f"⚠️ Incomplete, there may be more: {told.lacking}"]
    lines += ["", *(f"- {section.heading}" for section in told.sections)]
    if annotated > _ANNOTATIONS:
        lines += ["", f"{_ANNOTATIONS} of {annotated:,} annotations are shown."]
    return "\n".join(lines)


def _text(told: Report) -> str:
    where = f": [all of them]({told.facts.page})" if told.facts.page else ""
    return "\n".join(fitted([], parts(told), [], limit=_TEXT_BYTES, where=where)).strip()


def _annotations(told: Report) -> Iterator[dict[str, Any]]:
    """One for each model that a group costs something, at its modeling file."""
    for section in told.sections:
        if section.open:
            for group in section.groups:
                for model, cells in group.by_model.items():
                    lost = [item for item in cells if item.loss]
                    if lost:
                        yield _annotation(told, group, model, lost)


def _annotation(told: Report, group: Group, model: str, cells: list[CellChange]) -> dict[str, Any]:
    named = [f"{arrow(item)}  {item.cell.id}" for item in cells[:_NAMED]]
    rest = len(cells) - _NAMED
    named += [f"and {rest} more"] if rest > 0 else []
    return {
        "path": f"src/transformers/models/{model}/modeling_{model}.py",
        # Where in the file is not known: a cause may be in another one.
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "title": one_line(group.title or f"{len(cells)} exports of {model} lost", length=200),
        "message": "\n".join([*named, "", reproduce(group, told.facts)]),
    }


def as_json(told: Report) -> dict[str, Any]:
    """For scripts: everything, nothing left out."""
    facts = told.facts
    return {
        "state": told.state,
        "number": facts.number,
        "headline": told.headline,
        "lacking": told.lacking,
        "scope": facts.scope,
        "compared": told.compared,
        "unconfirmed": told.unconfirmed,
        "commits": {
            "run": facts.commits.run,
            "head": facts.commits.head,
            "base": facts.commits.base,
            "base_branch": facts.commits.base_branch,
        },
        "page": facts.page,
        "workflow": facts.workflow,
        "error_rate": facts.error_rate,
        "stack": {name: list(versions) for name, versions in told.stack.items()},
        "counts": {section.name: section.count for section in told.sections},
        "sections": [
            {
                "name": section.name,
                "title": section.title,
                "count": section.count,
                "groups": [_group(group, told, fails=section.fails) for group in section.groups],
            }
            for section in told.sections
        ],
    }


def _group(group: Group, told: Report, *, fails: bool) -> dict[str, Any]:
    return {
        "signature": group.signature,
        "title": group.title,
        "owner": group.owner and group.owner.name,
        "evidence": group.owner and group.owner.evidence,
        "triage": group.said and group.said.words,
        "issue": group.said and group.said.issue,
        "muted": bool(group.said and group.said.muted),
        "reproduce": reproduce(group, told.facts) if fails else None,
        "cells": [
            {
                "cell": item.cell.id,
                "change": item.change,
                "before": item.before and item.before.verdict,
                "after": item.after and item.after.verdict,
                "arrow": arrow(item),
                "reason": item.reason,
                "loss": item.loss,
                "confirmed": item.confirmation and item.confirmation.outcome,
                "why": item.confirmation and item.confirmation.why,
                "root": item.root and item.root.id,
            }
            for item in group.cells
        ],
    }
