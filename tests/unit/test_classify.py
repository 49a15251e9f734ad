"""Real failures, kept as they were raised, and what the rules say of them.

A fixture opens with what the harness knew (`# outcome: …`, and for some the cell, the size of a
difference and the model code that was replaced), then what is expected (`# kind: …`), then the raw
text. `make bless` writes the expected part; read the diff.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

from harness.cells import Cell
from harness.results import Outcome, Result, Stage
from runner.core.classify import UNCLASSIFIED, classify, rules
from runner.core.evidence import Evidence
from runner.core.label import Label, label_evidence, label_text

FIXTURES = sorted((Path(__file__).parents[1] / "data" / "failures").glob("*.txt"))
EXPECTED = ("rule", "kind", "owner", "suspect", "signature", "title")
CELL = Cell.parse("bert/BertModel/forward-static/onnx")


def _read(path: Path) -> tuple[dict[str, str], str]:
    head, _, text = path.read_text().partition("\n\n")
    return dict(re.findall(r"^# (\w+): ?(.*)$", head, re.MULTILINE)), text


def _label(known: dict[str, str], text: str) -> Label:
    reason = known.get("reason", "")
    cell = Cell.parse(known["cell"]) if "cell" in known else None
    evidence = Evidence(
        text=f"{reason}\n{text}",
        reason=reason,
        outcome=Outcome(known["outcome"]),
        stage=Stage(known["stage"]) if known.get("stage") else None,
        given=known.get("given") or None,
        signal=known.get("signal") or None,
        backend=cell.backend if cell else None,
        worst_difference=float(known["difference"]) if "difference" in known else None,
        patched=tuple(known.get("patched", "").split()),
    )
    return label_evidence(evidence, model=cell.model_type if cell else None)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_real_failure_is_labelled_as_blessed(path: Path, request: pytest.FixtureRequest) -> None:
    known, text = _read(path)
    found = _label(known, text).to_json()
    said = {name: str(found[name]) for name in EXPECTED}
    if request.config.getoption("--bless"):
        head = {name: value for name, value in known.items() if name not in EXPECTED} | said
        lines = [f"# {name}: {value}".rstrip() for name, value in head.items()]
        path.write_text("\n".join(lines) + f"\n\n{text}")
        return
    expected = {name: known.get(name, "") for name in EXPECTED}
    assert said == expected, f"if this is right: pytest {__file__} --bless"


def test_no_real_failure_is_left_unclassified() -> None:
    assert [path.stem for path in FIXTURES if _read(path)[0]["kind"] == UNCLASSIFIED] == []


#: what has no traceback to keep: how it ended, and what was said then
WITHOUT_TRACE = [
    ("missing-package", Outcome.ERROR, None, "ImportError: it requires timm"),
    ("nonfinite-reference", Outcome.ERROR, "nonfinite", "output 'logits' is not finite in eager"),
    ("lost", Outcome.CRASH, None, "pytest worker died"),
    ("crash", Outcome.CRASH, None, "killed by SIGSEGV"),
    ("executorch-arena", Outcome.FAIL, None, "Failed to load method forward, error: 0x:21"),
    ("runtime-limit", Outcome.FAIL, "runtime-limit", "the runtime refuses it"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "outcome", "given", "reason"), WITHOUT_TRACE)
def test_what_ends_without_a_traceback_is_recognised(
    rule: str, outcome: Outcome, given: str | None, reason: str
) -> None:
    found = classify(Result(cell=CELL, outcome=outcome, kind=given, reason=reason))
    assert found.rule == rule


def test_every_rule_recognises_a_failure_that_was_seen() -> None:
    seen = {_read(path)[0]["rule"] for path in FIXTURES} | {row[0] for row in WITHOUT_TRACE}
    assert [rule.id for rule in rules() if rule.id not in seen] == []


def test_the_fixtures_are_many_and_of_many_kinds() -> None:
    said = [_read(path)[0] for path in FIXTURES]
    assert len({found["signature"] for found in said}) >= 60
    assert len({found["kind"] for found in said}) >= 25


def test_the_fixtures_cover_the_kinds_that_people_filter_by() -> None:
    kinds = {_read(path)[0]["kind"] for path in FIXTURES}
    assert kinds >= {
        "data-dependent-guard",
        "cond-assertion",
        "missing-conversion",
        "constraint-violation",
        "specialized-shape",
        "unsupported-construct",
        "missing-kernel",
        "memory-plan",
        "timeout",
        "mismatch",
    }


@pytest.mark.parametrize(
    ("outcome", "kind"), [("crash", "crash"), ("oom", "oom"), ("timeout", "timeout")]
)
def test_a_death_is_suspect_whatever_its_log_says(outcome: str, kind: str) -> None:
    found = classify(
        Result(cell=CELL, outcome=Outcome(outcome), log_tail="GuardOnDataDependentSymNode: x")
    )
    assert (found.kind, found.suspect) == (kind, True)


def test_what_died_with_its_worker_or_zygote_is_ours_and_a_models_own_words_do_not_make_it_so() -> (
    None
):
    lost = Result(cell=CELL, outcome=Outcome.CRASH, reason="pytest worker died")
    own = Result(cell=CELL, outcome=Outcome.CRASH, reason="exited with 3", log_tail="zygote died")
    assert (classify(lost).kind, classify(lost).owner) == ("lost", "harness")
    assert classify(own).kind == "crash"


@pytest.mark.parametrize(
    ("stage", "reason", "kind"),
    [
        ("build", "ModuleNotFoundError: No module named 'timm'", "missing-package"),
        ("build", "model: ValueError: hidden_size", "build-error"),
        ("eager", "RuntimeError: shapes", "eager-error"),
    ],
)
def test_what_is_ours_is_the_harness_own(stage: str, reason: str, kind: str) -> None:
    found = classify(Result(cell=CELL, outcome=Outcome.ERROR, stage=Stage(stage), reason=reason))
    assert (found.kind, found.owner) == (kind, "harness")


def test_what_no_rule_knows_is_said_to_be_unclassified() -> None:
    found = classify(Result(cell=CELL, outcome=Outcome.FAIL, reason="the moon was full"))
    assert (found.kind, found.rule) == (UNCLASSIFIED, None)


def test_rule_ids_are_unique_and_owners_are_known() -> None:
    assert [name for name, count in Counter(rule.id for rule in rules()).items() if count > 1] == []
    assert {rule.owner for rule in rules()} <= {
        "model", "transformers.exporters", "torch.export", "onnxscript", "onnxruntime",
        "executorch", "numerics", "harness", "unknown",
    }  # fmt: skip


LOG = """
=================================== FAILURES ===================================
_________________________________ test_export __________________________________
    def test_export():
>       export()
E       torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode: Could not guard on x
_________________________________ test_second __________________________________
>       check()
E       RuntimeError: Expected cond to be True, but got False.
=========================== short test summary info ============================
FAILED test_a.py::test_export
"""


def test_a_pytest_log_gives_each_of_its_failures_once() -> None:
    assert [found.kind for found in label_text(LOG)] == ["data-dependent-guard", "cond-assertion"]


def test_chained_tracebacks_are_one_failure_and_separate_ones_are_two() -> None:
    one = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    x\nKeyError: 1\n'
    link = "\nThe above exception was the direct cause of the following exception:\n\n"
    assert len(label_text(one + link + one)) == 1
    assert len(label_text(one + "\n" + one)) == 2


def test_a_text_without_any_exception_has_no_failure() -> None:
    assert label_text("all is well\n") == []
