"""The minimal reproduction of a failure: searched for (`searching`), written, and proven.

The script runs in a process that knows nothing of this project, and what it shows is signed like
the last trial. That it shows something else is said, not hidden.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.cells import Cell
from harness.isolation.messages import Limits
from harness.reproduce.alone import run_alone
from harness.reproduce.minimal import ATOL, MAX_LINES, RTOL, Telling, minimal
from harness.reproduce.observed import Context, observed
from harness.reproduce.runtimes import BACKENDS
from harness.reproduce.subject import Subject
from harness.results import Result, Stage
from harness.stack import stack
from runner.core.label import label, owner_of_label
from runner.core.owner import WITNESS, Owner, owner
from runner.core.plain import plain
from runner.core.runs import CellVerdict, Verdict
from runner.core.shrink import Step
from runner.core.upstream import Found, Issue, issue
from runner.execute.trials import Trials
from runner.steps.searching import OnStep, Place, Search, Wanted, same_outputs

#: of a script's own process: imports, and what a first export costs
_COLD_S, _COLD_MIB = 300, 1536


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of it."""

    cell: Cell
    signature: str
    title: str
    kind: str
    stage: Stage
    script: str
    #: whether the script, in a process of its own, showed the same signature
    same: bool
    shown: Result
    #: what stands in the way of a good report
    notes: tuple[str, ...]
    steps: tuple[Step, ...]
    seconds: float
    issue: Issue

    @property
    def lines(self) -> int:
        return len(self.script.splitlines())

    def to_json(self) -> dict[str, Any]:
        shown = {
            name: getattr(self.shown, name)
            for name in ("outcome", "stage", "kind", "signature", "title", "reason")
        }
        own = ("signature", "title", "kind", "stage", "script", "lines", "same", "notes")
        return {
            "cell": self.cell.id,
            **{name: getattr(self, name) for name in own},
            "shown": shown,
            "seconds": round(self.seconds, 1),
            "trials": len(self.steps),
            "steps": [asdict(each) for each in self.steps],
            "issue": asdict(self.issue),
        }


def reproduce(wanted: Wanted, place: Place, on_step: OnStep) -> Reproduction:
    """The minimal reproduction; `MatrixError` if the failure does not show here."""
    began = time.monotonic()
    # All others begin with what dynamo is: a failure of it needs no more.
    backends = [WITNESS if wanted.stage is Stage.CAPTURE else wanted.cell.backend]
    with Trials(backends, revision_path=place.revision.path, memory_mib=place.memory_mib) as trials:
        search = Search(wanted, place, trials, on_step)
        subject, found = search.run()
    script, shown = _proven(search, subject, _seen(found))
    same = _seen(shown) == _seen(found) and same_outputs(shown, found)
    proof = _Proof(subject=subject, script=script, shown=shown, same=same)
    return _told(search, proof, seconds=time.monotonic() - began)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """A script, and what it showed by itself."""

    subject: Subject
    script: str
    shown: Result
    same: bool


def _seen(found: Result) -> str | None:
    """A result's signature as far as it is seen from outside.

    Which patches fired is seen inside an attempt alone; of values that differ they are what stands
    for the cause. A script and the last trial must then agree on output and size instead.
    """
    parts = tuple(replace(part, patches=()) for part in found.components)
    return label(found.replace(components=parts)).signature


def _proven(search: Search, subject: Subject, wanted: str | None) -> tuple[str, Result]:
    """The script, and what it showed by itself; torch.export's own, where that shows the same."""
    plain_too = search.stage is Stage.CAPTURE and not subject.dynamic
    done = []
    for alone in (True, False) if plain_too else (False,):
        telling = Telling(
            title=_headline(search),
            about=_about(search, subject),
            stage=search.stage,
            plain=alone,
        )
        script = minimal(subject, telling)
        limits = search.place.limits
        ran = run_alone(
            script,
            revision_path=search.place.revision.path,
            limits=Limits(
                time_s=limits.time_s + _COLD_S,
                memory_bytes=limits.memory_bytes + (_COLD_MIB << 20),
            ),
        )
        context = Context(
            cell=search.wanted.cell,
            backend=subject.backend,
            other_label=subject.other_label,
        )
        done.append((script, label(observed(script, ran, context))))
        if _seen(done[-1][1]) == wanted:
            break
    return done[-1]


def _headline(search: Search) -> str:
    title = " ".join(plain(search.shown.title or "").split())
    return title.replace("\\", "/").replace('"""', "'''")


def _about(search: Search, subject: Subject) -> tuple[str, ...]:
    versions = "  ".join(f"{name} {at}" for name, at in _versions(search, subject).items())
    revision = search.place.revision
    commit = f" at commit {revision.name}" if revision.path and "." not in revision.name else ""
    return (
        f"From {search.wanted.cell.id}, stage {search.stage}{commit}.",
        versions,
        f"pip install {BACKENDS[subject.backend].requirements}",
    )


def _versions(search: Search, subject: Subject) -> dict[str, str]:
    """The versions that take part."""
    found = stack()
    revision = search.place.revision
    if revision.path:
        found["transformers"] = revision.name
    packages = ("python", "torch", "transformers", *BACKENDS[subject.backend].packages)
    return {name: found[name] for name in packages if name in found}


def _told(search: Search, proof: _Proof, *, seconds: float) -> Reproduction:
    wanted, first = search.wanted, search.shown
    whose = wanted.owner or _owner(search, proof)
    found = Found(
        cell=wanted.cell,
        backend=proof.subject.backend,
        title=first.title or "",
        signature=search.signature,
        owner=whose.name,
        evidence=whose.evidence,
        script=proof.script,
        shown=proof.shown,
        stack=_versions(search, proof.subject),
        requirements=BACKENDS[proof.subject.backend].requirements,
        same=proof.same,
        tolerance=f"within {ATOL:g} + {RTOL:g} * |eager|",
        shared=wanted.shared or {wanted.cell.model_type: 1},
    )
    return Reproduction(
        cell=wanted.cell,
        signature=search.signature,
        title=found.title,
        kind=first.kind or "",
        stage=search.stage,
        script=proof.script,
        same=proof.same,
        shown=proof.shown,
        notes=tuple(_notes(proof.script, proof.shown, proof.same)),
        steps=tuple(search.steps),
        seconds=seconds,
        issue=issue(found),
    )


def _owner(search: Search, proof: _Proof) -> Owner:
    """Whose it is where no other cell decides it: by its rule, and what the witness showed."""
    cell, first = search.wanted.cell, search.shown
    failed = CellVerdict(
        cell=cell,
        verdict=Verdict(first.outcome),
        stage=first.stage,
        kind=first.kind,
        owner=owner_of_label(first),
        signature=search.signature,
    )
    if proof.subject.backend != WITNESS or not proof.same:
        return owner(failed, [])
    return owner(failed, [replace(failed, cell=replace(cell, backend=WITNESS))])


def _notes(script: str, shown: Result, same: bool) -> Sequence[str]:
    notes = []
    if not same:
        what = shown.title or shown.outcome
        notes.append(
            f"the script by itself shows something else: {what} at {shown.stage or 'no stage'}"
        )
    if (lines := len(script.splitlines())) > MAX_LINES:
        notes.append(f"the script has {lines} lines, over {MAX_LINES}")
    return notes
