"""A failure group as its page and its twin tell it: all that is known of what failed alike."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SelectionError
from harness.reproduce.runtimes import BACKENDS
from harness.results import Outcome, Result
from runner.core.common import Part, common_parts
from runner.core.evidence import of_result
from runner.core.owner import Owner
from runner.core.related import related
from runner.core.roots import Cause
from runner.core.runs import CellVerdict, FailureGroup, Run
from runner.core.signature import signed_frame
from runner.core.unlock import Drafts
from runner.core.upstream import Found, Issue, issue
from runner.settings import settings
from runner.steps.explaining import GroupExplained, explain_group
from runner.steps.unlocking import known_drafts
from runner.store import reads
from runner.store.attempts import attempts_at
from runner.store.engine import Engine
from runner.store.regrouping import Membership, Span, cells_in, groups, membership, runs_of, span

_TIMELINE, _RELATED, _COMPARED = 30, 6, 12
_PACKAGES = ("torch", "transformers")
# A name comes from results, which others may have made: it is to be no way out of the folder.
_SIGNATURE = re.compile(r"s\d+-[0-9a-z]+(?:\.\d+)*")
SCRIPT, ISSUE = "reproduce.py", "issue.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the example's traceback."""

    parts: tuple[Part, ...]
    #: whether it is of the frame that the signature is made of
    signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind a group, where drafts went on."""

    #: cells that were drafted, and those that came to the end
    drafted: int
    ended: int
    #: signature -> cells that fail with it as well, the most first
    also: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """A failure group: its cells in the newest run that has it, and its life."""

    group: FailureGroup
    run: Run
    span: Span
    #: whether the newest run of all has it
    lives: bool
    owner: Owner
    causes: tuple[Cause, ...]
    unlocks: int
    behind: Behind
    #: newest first; 0 cells where a run does not have it
    timeline: tuple[tuple[Run, int], ...]
    example: CellVerdict
    trace: tuple[Line, ...]
    #: how many other tracebacks were compared with the example's, of as many other model types
    compared: int
    others: int
    related: tuple[FailureGroup, ...]
    #: groups that are told as this one, and those that were split from it
    merged: tuple[str, ...]
    parts: tuple[str, ...]
    #: the script, where one was made
    script: str | None
    issue: Issue


def grouped(engine: Engine, signature: str) -> Grouped:
    """`SelectionError` if no run has such a group."""
    group = reads.named_group(engine, signature)
    told = membership(engine, signature)
    life = span(engine, told) if group else None
    if group is None or life is None:
        raise SelectionError(f"no failure group {signature!r}; see /groups for those of a run")
    run = life.last
    failed = [told.rules.told(each) for each in cells_in(engine, told, run.id)]
    known = explain_group(engine, run, failed)
    roots = sorted(known.causes, key=lambda cause: -len(cause.dependants))
    results = _results(engine, run, roots)
    example, result = results[0]
    compared = [each.traceback for _, each in results[1:] if each and each.traceback]
    there = groups(engine, run.id)
    cells = len(failed)
    return Grouped(
        group=next(each for each in there if each.signature == signature),
        run=run,
        span=life,
        lives=run.id == reads.run(engine, "latest").id,
        owner=known.owner,
        causes=known.causes,
        unlocks=known.unlocks,
        behind=_behind(failed, known_drafts(settings().folder, run)),
        timeline=tuple(_timeline(engine, told)),
        example=example,
        trace=tuple(_trace(result, compared)),
        compared=len(compared),
        others=len({cause.root.cell.model_type for cause in roots}) - 1,
        related=tuple(related(group, there, limit=_RELATED)) if cells else (),
        merged=tuple(told.rules.sources(signature)[1:]),
        parts=tuple(rule.into for rule in told.rules.rules if rule.group == signature),
        script=_made(signature, SCRIPT),
        issue=_issue(signature, run, known=known, example=example, result=result, failed=failed),
    )


def _results(
    engine: Engine, run: Run, causes: Sequence[Cause]
) -> list[tuple[CellVerdict, Result | None]]:
    """Causes of several model types, with the attempt that tells of each; the example first."""
    types: dict[str, CellVerdict] = {}
    for cause in causes:
        types.setdefault(cause.root.cell.model_type, cause.root)
    chosen = list(types.values())[: _COMPARED + 1]
    return [(each, _attempt(engine, run, each)) for each in chosen]


def _attempt(engine: Engine, run: Run, found: CellVerdict) -> Result | None:
    attempts = [each for each in attempts_at(engine, run.id, found.cell) if each.signature]
    same = [each for each in attempts if each.signature == found.signature]
    return next(iter(same or attempts), None)


def _trace(result: Result | None, others: Sequence[str]) -> list[Line]:
    if result is None or not result.traceback:
        return []
    frame = signed_frame(of_result(result))
    marks = (f'File "{frame.path}", line {frame.line}', f"line {frame.line}, ") if frame else ()
    lines = common_parts(result.traceback, others)
    texts = ["".join(part.text for part in parts) for parts in lines]
    own = [bool(marks) and all(mark in text for mark in marks) for text in texts]
    return [
        Line(parts=parts, signed=own[index] or (index > 0 and own[index - 1]))
        for index, parts in enumerate(lines)
    ]


def _timeline(engine: Engine, told: Membership) -> list[tuple[Run, int]]:
    """The newest runs; where none of them has the group, those that had it last.

    That an incomplete run has nothing of it says nothing, and is left out.
    """
    had = runs_of(engine, told, limit=_TIMELINE)
    counts = {run.id: count for run, count in had}
    newest = reads.runs(engine, limit=_TIMELINE)
    if not any(run.id in counts for run in newest):
        return had
    tells = [run for run in newest if run.complete or run.id in counts]
    return [(run, counts.get(run.id, 0)) for run in tells]


def _behind(failed: Sequence[CellVerdict], drafts: Drafts) -> Behind:
    made = [(each, drafts[each.cell]) for each in failed if each.cell in drafts]
    also = Counter(
        reason for each, draft in made for reason in draft.reasons if reason != each.signature
    )
    return Behind(
        drafted=len(made),
        ended=sum(draft.stopped is None for _, draft in made),
        also=dict(also.most_common()),
    )


def _made(signature: str, name: str) -> str | None:
    """What `reproduce` left here."""
    folder = reproduced(signature)
    file = folder / name if folder else None
    return file.read_text(errors="replace") if file and file.is_file() else None


def reproduced(signature: str) -> Path | None:
    """Where what was made of a group is kept; None for a name that is no signature of ours."""
    ours = _SIGNATURE.fullmatch(signature)
    return settings().folder / "reproduced" / signature if ours else None


def _issue(  # noqa: PLR0913  (what an issue is written from)
    signature: str,
    run: Run,
    *,
    known: GroupExplained,
    example: CellVerdict,
    result: Result | None,
    failed: Sequence[CellVerdict],
) -> Issue:
    backend = example.cell.backend
    runtime = BACKENDS.get(backend)
    packages = (*_PACKAGES, *(runtime.packages if runtime else ()))
    stack = {name: run.stack[name] for name in packages if name in run.stack}
    silent = Result(cell=example.cell, outcome=Outcome.FAIL, stage=example.stage)
    made = issue(
        Found(
            cell=example.cell,
            backend=backend,
            title=example.title or "",
            signature=signature,
            owner=known.owner.name,
            evidence=known.owner.evidence,
            script="",
            shown=result or silent,
            stack={"python": run.stack.get("python", "?"), **stack},
            requirements=" ".join(f"{name}=={at}" for name, at in stack.items()),
            same=True,
            tolerance="within its tolerance",
            shared=Counter(each.cell.model_type for each in failed),
        )
    )
    proven = _made(signature, ISSUE)
    if proven is None:
        return made
    title, _, body = proven.removeprefix("# ").partition("\n")
    return Issue(repository=made.repository, title=title, body=body.strip())
