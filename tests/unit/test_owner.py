"""Who owns a failure, by what else became of the same case."""

import pytest

from harness.cells import Cell
from harness.results import Stage
from runner.core.owner import by_class, group_owner, owner
from runner.core.runs import CellVerdict, Verdict


def _cell(backend: str, variant: str = "forward-dynamic", model: str = "llama/LlamaModel") -> Cell:
    return Cell.parse(f"{model}/{variant}/{backend}")


def _fails(
    backend: str, stage: str, *, rule: str = "unknown", kind: str = "k", **more: str
) -> CellVerdict:
    return CellVerdict(
        cell=_cell(backend, **more),
        verdict=Verdict.FAIL,
        stage=Stage(stage),
        kind=kind,
        owner=rule,
        signature=f"s1-{kind}-{stage}",
    )


def _is(verdict: Verdict, backend: str, variant: str = "forward-dynamic") -> CellVerdict:
    return CellVerdict(cell=_cell(backend, variant), verdict=verdict)


#: stage and rule's owner of a failure on onnx; what dynamo does with the same case; whose it is
TABLE = """
build    harness                passes               harness
eager    model                  passes               model
capture  model                  alike                model
capture  torch.export           alike                torch.export
capture  transformers.exporters alike                transformers.exporters
capture  unknown                alike                torch.export
capture  model                  passes               transformers.exporters
capture  model                  later                transformers.exporters
capture  model                  otherwise            model
capture  model                  silent               model
lower    onnxscript             passes               onnxscript
lower    model                  passes               torch.onnx
lower    unknown                later                torch.onnx
lower    transformers.exporters passes               transformers.exporters
lower    onnxscript             earlier              onnxscript
lower    onnxscript             silent               onnxscript
load     unknown                passes               onnxruntime
load     onnxscript             passes               onnxscript
infer    unknown                passes               onnxruntime
infer    unknown                alike                torch.export
infer    unknown                later                onnxruntime
infer    unknown                earlier              unknown
compare  numerics               passes               torch.onnx|or|onnxruntime
compare  numerics               alike                torch.export
compare  numerics               later                torch.onnx|or|onnxruntime
compare  numerics               earlier              numerics
compare  numerics               silent               numerics
resize   torch.export           alike                torch.export
resize   torch.export           passes               torch.onnx|or|onnxruntime
resize   torch.export           earlier              torch.export
"""


def _dynamo(does: str, failed: CellVerdict) -> CellVerdict:
    assert failed.stage is not None
    order = list(Stage)
    match does:
        case "passes":
            return _is(Verdict.PASS, "dynamo")
        case "alike":
            return _fails("dynamo", failed.stage)
        case "otherwise":
            return _fails("dynamo", failed.stage, kind="other")
        case "later":
            return _fails("dynamo", order[failed.stage.order + 1], kind="other")
        case "earlier":
            return _fails("dynamo", "capture", kind="other")
        case _:
            return _is(Verdict.SKIP, "dynamo")


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_the_same_case_on_dynamo_decides(row: str) -> None:
    stage, rule, does, whose = row.split()
    failed = _fails("onnx", stage, rule=rule)
    found = owner(failed, [failed, _dynamo(does, failed)])
    assert found.name == whose.replace("|", " ")


@pytest.mark.parametrize("stage", ["lower", "load", "infer", "compare", "resize"])
def test_where_converter_and_runtime_are_one_project_it_is_named(stage: str) -> None:
    failed = _fails("executorch", stage)
    assert owner(failed, [failed, _is(Verdict.PASS, "dynamo")]).name == "executorch"


def test_an_error_of_ours_stays_ours_although_others_err_alike() -> None:
    erred = [
        CellVerdict(
            cell=_cell(backend),
            verdict=Verdict.ERROR,
            stage=Stage.COMPARE,
            kind="random",
            owner="harness",
            signature="s1-random",
        )
        for backend in ("dynamo", "onnx")
    ]
    assert [owner(each, erred).name for each in erred] == ["harness", "harness"]
    assert owner(erred[0], erred).evidence == (
        "the case itself can't tell; no evidence, so its rule's owner: harness"
    )


def test_the_evidence_is_a_sentence() -> None:
    failed = _fails("onnx", "lower")
    siblings = [
        failed,
        _is(Verdict.PASS, "dynamo"),
        _is(Verdict.PASS, "onnx", "forward-static"),
    ]
    assert owner(failed, siblings).evidence == (
        "dynamo passes the same case, forward-static passes: "
        "only onnx forward-dynamic fails at lower → torch.onnx"
    )


@pytest.mark.parametrize(
    ("witness", "says"),
    [
        (None, "dynamo was not asked"),
        (_is(Verdict.MISSING, "dynamo"), "dynamo has no result"),
        (_is(Verdict.SKIP, "dynamo"), "dynamo was skipped"),
        (_is(Verdict.ERROR, "dynamo"), "dynamo could not be built here"),
        (_is(Verdict.FLAKY, "dynamo"), "dynamo is flaky"),
        (_is(Verdict.TIMEOUT, "dynamo"), "dynamo runs out of time, which is not trusted"),
    ],
)
def test_a_witness_that_says_nothing_leaves_the_rules_owner(
    witness: CellVerdict | None, says: str
) -> None:
    failed = _fails("onnx", "lower", rule="onnxscript")
    found = owner(failed, [failed, *([witness] if witness else [])])
    assert found.evidence == f"{says}; no evidence, so its rule's owner: onnxscript"
    assert not found.decided


def test_what_dynamo_never_does_is_not_witnessed_by_it() -> None:
    failed = _fails("onnx", "lower", kind="decomposition", rule="torch.export")
    found = owner(failed, [failed, _is(Verdict.PASS, "dynamo")])
    assert (found.name, found.decided) == ("torch.export", False)


def test_a_failure_of_dynamo_that_others_share_is_before_any_converter() -> None:
    failed = _fails("dynamo", "capture", rule="model")
    alike = [_fails("onnx", "capture"), _fails("executorch", "capture")]
    found = owner(failed, [failed, *alike])
    assert found.evidence == (
        "executorch and onnx fail alike: dynamo forward-dynamic fails at capture → model"
    )


def test_dynamos_wrong_values_are_nobody_elses_but_torch_exports() -> None:
    failed = _fails("dynamo", "compare", rule="numerics")
    assert owner(failed, [failed]).name == "torch.export"


def test_dynamos_capture_alone_has_no_witness() -> None:
    failed = _fails("dynamo", "capture", rule="model")
    assert not owner(failed, [failed, _is(Verdict.SKIP, "onnx")]).decided


def test_the_same_death_twice_is_alike() -> None:
    dead = [
        CellVerdict(
            cell=_cell(backend), verdict=Verdict.CRASH, stage=Stage.CAPTURE, signature="s1-c"
        )
        for backend in ("onnx", "dynamo")
    ]
    assert owner(dead[0], dead).evidence == (
        "dynamo crashes at capture alike: onnx forward-dynamic crashes at capture → torch.export"
    )


def test_a_group_takes_the_vote_of_its_cells_and_counts_it() -> None:
    models = [f"m{number}/M" for number in range(4)]
    failed = [_fails("onnx", "lower", rule="model", model=model) for model in models]
    passing = [
        CellVerdict(cell=_cell("dynamo", model=model), verdict=Verdict.PASS) for model in models[:3]
    ]
    found = group_owner(failed, by_class([*failed, *passing]))
    assert (found.name, found.decided) == ("torch.onnx", True)
    assert found.evidence == (
        "3 of 4 cells: dynamo passes the same case; 1 of 4 cells: dynamo was not asked → torch.onnx"
    )


def test_cells_that_speak_against_the_vote_are_told() -> None:
    models = [f"m{number}/M" for number in range(3)]
    failed = [_fails("onnx", "capture", rule="model", model=model) for model in models]
    alike = [_fails("dynamo", "capture", model=model) for model in models[:2]]
    passes = CellVerdict(cell=_cell("dynamo", model=models[2]), verdict=Verdict.PASS)
    assert group_owner(failed, by_class([*failed, *alike, passes])).evidence == (
        "2 of 3 cells: dynamo fails at capture alike; "
        "1 of 3 cells: dynamo passes the same case (transformers.exporters) → model"
    )


def test_a_group_without_any_evidence_has_its_rules_owner() -> None:
    failed = [_fails("onnx", "lower", rule="onnxscript")]
    found = group_owner(failed, by_class(failed))
    assert (found.name, found.decided) == ("onnxscript", False)
    assert found.evidence.endswith("no evidence, so its rule's owner: onnxscript")
