"""Who owns a failure, told by what else became of the same case.

The rule that gave the kind has a default owner. The other backends and variants of the same model
class, at the same revision and stack, decide; `dynamo` is the witness, for all others begin with
torch.export:

| stops at            | dynamo fails alike     | dynamo passes, or stops later | else       |
|---------------------|------------------------|-------------------------------|------------|
| `build`, `eager`    | the rule's             | the rule's                    | the rule's |
| `capture`           | model, torch.export (1)| transformers.exporters        | the rule's |
| `lower`             | model, torch.export (1)| the converter                 | the rule's |
| `load`, `infer`     | model, torch.export (1)| the runtime                   | the rule's |
| `compare`, `resize` | model, torch.export (1)| the converter or the runtime  | the rule's |

(1) the rule's where it names one of those, else torch.export. A cell of dynamo itself is in that
column: no converter and no other runtime takes part in it. Alike is the same stage, and the same
signature or kind. A witness that is missing, skipped, an error of ours, or ended in a death that
isn't the same one says nothing: then the rule's owner stands, and that is said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from harness.cells import Cell, Variant
from harness.results import Stage
from runner.core.runs import CellVerdict, Verdict

WITNESS = "dynamo"
_UPSTREAM = ("model", "torch.export", "transformers.exporters")
_EXPORTERS = "transformers.exporters"
_CONVERTERS = {"onnx": "torch.onnx"}
_RUNTIMES = {"onnx": "onnxruntime"}
#: what a rule may know better than the table: a part of the converter or the runtime
_PARTS = {"onnx": ("torch.onnx", "onnxscript", "onnxruntime")}
#: dynamo's program is never decomposed, so its passing says nothing of who does that
_UNWITNESSED = ("decomposition",)
_SILENT = {
    Verdict.MISSING: "has no result",
    Verdict.SKIP: "was skipped",
    Verdict.ERROR: "could not be built here",
    Verdict.FLAKY: "is flaky",
}
_TWINS = {
    Variant.FORWARD_STATIC: Variant.FORWARD_DYNAMIC,
    Variant.FORWARD_DYNAMIC: Variant.FORWARD_STATIC,
    Variant.GENERATE_STATIC: Variant.GENERATE_DYNAMIC,
    Variant.GENERATE_DYNAMIC: Variant.GENERATE_STATIC,
    Variant.GENERATE_CACHE_STATIC: Variant.GENERATE_STATIC,
}

_NO_CELLS: Mapping[Cell, CellVerdict] = {}
_NO_EVIDENCE = "no evidence, so its rule's owner:"

#: (model type, model class) -> its cells in one run
Siblings = Mapping[tuple[str, str], Mapping[Cell, CellVerdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a failure is, and why one should believe it."""

    name: str
    #: one sentence
    evidence: str
    #: whether other outcomes decided it; else it is the rule's owner
    decided: bool


@dataclass(frozen=True, slots=True)
class _Ruling:
    """What the witness says of one cell: the fact, and whose the failure is by it."""

    name: str
    fact: str
    decided: bool


class _Says(Enum):
    ALIKE = auto()
    PAST = auto()
    NOTHING = auto()


def by_class(found: Iterable[CellVerdict]) -> Siblings:
    """A run's cells by model class."""
    classes: dict[tuple[str, str], dict[Cell, CellVerdict]] = {}
    for each in found:
        cell = each.cell
        classes.setdefault((cell.model_type, cell.model_class), {})[cell] = each
    return classes


def owner(failed: CellVerdict, siblings: Iterable[CellVerdict]) -> Owner:
    """Who owns one cell's failure; `siblings` are cells of its class in the same run."""
    others = {each.cell: each for each in siblings}
    ruling = _ruled(failed, others)
    facts = [ruling.fact, *_beside(failed, others)]
    told = f"{', '.join(facts)}; {_NO_EVIDENCE} {ruling.name}"
    if ruling.decided:
        only = "only " if all("pass" in fact for fact in facts) else ""
        where = f"{failed.cell.backend} {failed.cell.variant} {_ends(failed)}"
        told = f"{', '.join(facts)}: {only}{where} → {ruling.name}"
    return Owner(name=ruling.name, evidence=told, decided=ruling.decided)


def group_owner(failed: Sequence[CellVerdict], siblings: Siblings) -> Owner:
    """Who owns a failure group: its cells vote, those without evidence only if all are."""
    rulings = [_ruled(each, siblings.get(_class(each.cell), _NO_CELLS)) for each in failed]
    voting = [each for each in rulings if each.decided] or rulings
    rule = failed[0].owner or "unknown"
    votes = Counter(each.name for each in voting)
    name = min(votes, key=lambda each: (-votes[each], each != rule, each))
    counted = Counter(
        (each.name, each.fact) if each.decided else ("", each.fact) for each in rulings
    )
    order = sorted(counted.items(), key=lambda item: (item[0][0] != name, -item[1], item[0]))
    told = "; ".join(_told(count, len(rulings), *said, name) for said, count in order)
    decided = any(each.decided for each in rulings)
    end = f" → {name}" if decided else f"; {_NO_EVIDENCE} {name}"
    return Owner(name=name, evidence=told + end, decided=decided)


def _told(count: int, of: int, says: str, fact: str, name: str) -> str:
    against = f" ({says})" if says and says != name else ""
    return f"{count} of {of} cells: {fact}{against}"


def _class(cell: Cell) -> tuple[str, str]:
    return cell.model_type, cell.model_class


def _ruled(failed: CellVerdict, others: Mapping[Cell, CellVerdict]) -> _Ruling:
    rule = failed.owner or "unknown"
    early = failed.stage is None or failed.stage.order < Stage.CAPTURE.order
    if early or failed.verdict is Verdict.ERROR:
        fact = "stopped before any export" if early else "the case itself can't tell"
        return _Ruling(rule, fact, decided=False)
    upstream = rule if rule in _UPSTREAM else "torch.export"
    if failed.cell.backend == WITNESS:
        return _witness_itself(failed, others, upstream)
    witness = others.get(_on(failed.cell, WITNESS))
    says, fact = _testimony(failed, witness)
    if failed.kind in _UNWITNESSED and says is _Says.PAST:
        return _Ruling(rule, f"{fact}, without decomposing it", decided=False)
    match says:
        case _Says.ALIKE:
            return _Ruling(upstream, fact, decided=True)
        case _Says.PAST:
            return _Ruling(_downstream(failed, rule), fact, decided=True)
        case _Says.NOTHING:
            return _Ruling(rule, fact, decided=False)


def _witness_itself(
    failed: CellVerdict, others: Mapping[Cell, CellVerdict], upstream: str
) -> _Ruling:
    """dynamo: neither a converter nor another runtime takes part."""
    same = [each for each in others.values() if each.cell.variant is failed.cell.variant]
    alike = [each for each in same if _alike(failed, each) and each.cell != failed.cell]
    if alike:
        names = " and ".join(sorted(each.cell.backend for each in alike))
        return _Ruling(upstream, f"{names} {_verb(alike, 'fail')} alike", decided=True)
    passing = [each.cell.backend for each in same if each.verdict is Verdict.PASS]
    if passing and failed.stage is Stage.CAPTURE:
        names = " and ".join(sorted(passing))
        fact = f"{names} {_verb(passing, 'pass')} the same case, with other patches"
        return _Ruling(upstream, fact, decided=True)
    if failed.stage is Stage.CAPTURE:
        fact = "no other backend passes the same case or fails alike"
        return _Ruling(failed.owner or "unknown", fact, decided=False)
    fact = "torch itself runs dynamo's program, so neither converter nor runtime takes part"
    return _Ruling(upstream, fact, decided=True)


def _testimony(failed: CellVerdict, witness: CellVerdict | None) -> tuple[_Says, str]:
    """What the witness says of the failure, and in words."""
    if witness is None or witness.verdict in _SILENT:
        why = _SILENT[witness.verdict] if witness else "was not asked"
        return _Says.NOTHING, f"{WITNESS} {why}"
    if witness.verdict is Verdict.PASS:
        return _Says.PAST, f"{WITNESS} passes the same case"
    if _alike(failed, witness):
        return _Says.ALIKE, f"{WITNESS} {_ends(witness)} alike"
    if witness.verdict is not Verdict.FAIL:
        return _Says.NOTHING, f"{WITNESS} {_ends(witness)}, which is not trusted"
    if _order(witness) > _order(failed):
        return _Says.PAST, f"{WITNESS} comes past it and {_ends(witness)}"
    return _Says.NOTHING, f"{WITNESS} {_ends(witness)} in another way"


def _alike(failed: CellVerdict, other: CellVerdict) -> bool:
    same = other.signature is not None and other.signature == failed.signature
    return (
        other.verdict is failed.verdict
        and other.stage is failed.stage
        and (same or (other.verdict is Verdict.FAIL and other.kind == failed.kind))
    )


def _downstream(failed: CellVerdict, rule: str) -> str:
    """Whose it is if torch.export's program is right."""
    backend = failed.cell.backend
    converter, runtime = (table.get(backend, backend) for table in (_CONVERTERS, _RUNTIMES))
    parts = _PARTS.get(backend, (backend,))
    match failed.stage:
        case Stage.CAPTURE:
            return _EXPORTERS
        case Stage.LOWER:
            return rule if rule in (*parts, _EXPORTERS) else converter
        case Stage.LOAD | Stage.INFER:
            return rule if rule in parts else runtime
        case _:
            if rule in parts:
                return rule
            return converter if converter == runtime else f"{converter} or {runtime}"


def _beside(failed: CellVerdict, others: Mapping[Cell, CellVerdict]) -> list[str]:
    """Whether the same class gets through with the other kind of shapes."""
    cell, twin = failed.cell, _TWINS[failed.cell.variant]
    beside = others.get(Cell(cell.model_type, cell.model_class, twin, cell.backend))
    if beside is None or beside.verdict in _SILENT:
        return []
    if beside.verdict is Verdict.PASS:
        return [f"{twin} passes"]
    return [f"{twin} {_ends(beside)}{' alike' if _alike(failed, beside) else ''}"]


def _on(cell: Cell, backend: str) -> Cell:
    return Cell(cell.model_type, cell.model_class, cell.variant, backend)


def _order(found: CellVerdict) -> int:
    return -1 if found.stage is None else found.stage.order


def _ends(found: CellVerdict) -> str:
    """`fails at lower`, `runs out of time at capture`."""
    words = {
        Verdict.CRASH: "crashes",
        Verdict.TIMEOUT: "runs out of time",
        Verdict.OOM: "runs out of memory",
        Verdict.FLAKY: "is flaky",
    }
    ends = words.get(found.verdict, "fails")
    return f"{ends} at {found.stage}" if found.stage else ends


def _verb(who: Sequence[object], verb: str) -> str:
    many = len(who) > 1
    return verb if many else f"{verb}{'es' if verb.endswith('s') else 's'}"
