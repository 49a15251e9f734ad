"""Labels failures, in results and in raw logs: kind, signature and title. A pass has none."""

from dataclasses import asdict, dataclass
from typing import Any

from harness.results import Result
from runner.core.classify import classify_evidence, is_failure
from runner.core.evidence import Evidence, of_result, of_text
from runner.core.signature import sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is said of a failure; its JSON form is that of `classify --json`."""

    rule: str | None
    kind: str
    owner: str
    suspect: bool
    signature: str
    title: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def label_evidence(evidence: Evidence, *, model: str | None = None) -> Label:
    found = classify_evidence(evidence)
    signature = sign(evidence, found, model=model)
    return Label(
        rule=found.rule,
        kind=found.kind,
        owner=found.owner,
        suspect=found.suspect,
        signature=signature.id,
        title=signature.title,
    )


def label(result: Result) -> Result:
    """The result with its kind, signature and title, whatever it said of itself."""
    if not is_failure(result):
        return result.replace(kind=None, signature=None, title=None)
    said = label_evidence(of_result(result), model=result.cell.model_type)
    return result.replace(kind=said.kind, signature=said.signature, title=said.title)


def label_text(text: str) -> list[Label]:
    """The label of each failure in a raw traceback or a pytest log."""
    return [label_evidence(evidence) for evidence in of_text(text)]


def owner_of_label(result: Result) -> str:
    """Who owns a failure by its kind's rule."""
    return classify_evidence(of_result(result)).owner
