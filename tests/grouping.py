"""How well failures are grouped: our signatures against causes that were found by hand.

`tests/data/grouping/failures.jsonl` holds real failures, each with its cause; `causes.toml` says of
each cause how it was told. Two failures have the same cause if the same statement has to change for
both to go away, or copies of it. Tracebacks are cut down to the frames that matter, and cells stand
for many alike.

    pairwise   of all pairs that we put together, how many have one cause (precision); of all pairs
               with one cause, how many we put together (recall)
    B-cubed    the same for each failure and those beside it, averaged over failures, so that one
               large group does not outweigh a hundred small ones

`python -m tests.grouping` prints the figures, and where we are wrong.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cells import Cell
from harness.results import Outcome, Stage
from runner.core.evidence import Evidence
from runner.core.label import Label, label_evidence

DATA = Path(__file__).parent / "data" / "grouping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A real failure with the cause that a person found, and what we say of it."""

    cell: Cell
    cause: str
    said: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Shares, from 0 to 1."""

    precision: float
    recall: float


def labelled() -> list[Labelled]:
    """The labelled set, as our rules and signatures see it."""
    lines = (DATA / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    return [_labelled(json.loads(line)) for line in lines]


def _labelled(record: dict[str, Any]) -> Labelled:
    cell = Cell.parse(record["cell"])
    evidence = Evidence(
        text="\n".join(part for part in (record["reason"], record.get("trace")) if part),
        reason=record["reason"],
        outcome=Outcome(record["outcome"]),
        stage=Stage(record["stage"]),
        given=record.get("given"),
        signal=record.get("signal"),
        backend=cell.backend,
        worst_difference=record.get("difference"),
        patched=tuple(record.get("patched", ())),
    )
    said = label_evidence(evidence, model=cell.model_type)
    return Labelled(cell=cell, cause=record["cause"], said=said)


def pairwise(found: Sequence[Labelled]) -> Agreement:
    """Over all pairs of failures."""
    ours = _pairs(Counter(each.said.signature for each in found))
    theirs = _pairs(Counter(each.cause for each in found))
    both = _pairs(Counter((each.said.signature, each.cause) for each in found))
    return Agreement(precision=both / ours, recall=both / theirs)


def _pairs(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def b_cubed(found: Sequence[Labelled]) -> Agreement:
    """Averaged over failures."""
    ours = Counter(each.said.signature for each in found)
    theirs = Counter(each.cause for each in found)
    both = Counter((each.said.signature, each.cause) for each in found)
    shared = [both[each.said.signature, each.cause] for each in found]
    pairs = list(zip(found, shared, strict=True))
    return Agreement(
        precision=sum(count / ours[each.said.signature] for each, count in pairs) / len(found),
        recall=sum(count / theirs[each.cause] for each, count in pairs) / len(found),
    )


def main() -> None:
    found = labelled()
    causes = {each.cause for each in found}
    groups = {each.said.signature for each in found}
    print(f"{len(found)} real failures of {len(causes)} causes, in {len(groups)} groups")
    for name, agreement in (("pairwise", pairwise(found)), ("B-cubed", b_cubed(found))):
        print(f"{name:9} precision {agreement.precision:.3f}  recall {agreement.recall:.3f}")
    by_group: dict[str, Counter[str]] = defaultdict(Counter)
    by_cause: dict[str, Counter[str]] = defaultdict(Counter)
    titles = {each.said.signature: each.said.title for each in found}
    for each in found:
        by_group[each.said.signature][each.cause] += 1
        by_cause[each.cause][each.said.signature] += 1
    for signature, mixed in by_group.items():
        if len(mixed) > 1:
            print(f"mixed {signature} {titles[signature][:60]}: {dict(mixed)}")
    for cause, split in by_cause.items():
        if len(split) > 1:
            told = {titles[signature][:50]: count for signature, count in split.items()}
            print(f"split {cause}: {told}")


if __name__ == "__main__":
    main()
