"""The same failure has the same signature, another has another."""

import pytest

from harness.cells import Cell
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.label import label
from runner.core.signature import is_current


def _trace(model: str, name: str, *, line: int = 10, symbol: str = "u0", source: str = "") -> str:
    source = source or f"hidden = self.{name}Attention(hidden, mask.nonzero())"
    return (
        "Traceback (most recent call last):\n"
        f'  File "/a/site-packages/transformers/models/{model}/modeling_{model}.py", line {line}, in forward\n'
        f"    {source}\n"
        '  File "/a/site-packages/torch/fx/experimental/symbolic_shapes.py", line 99, in evaluate\n'
        "    raise error\n"
        "torch.fx.experimental.symbolic_shapes.GuardOnDataDependentSymNode: "
        f"Could not guard on data-dependent expression Eq({symbol}, 1)\n"
    )


def _signature(model: str, name: str, **changes: object) -> str | None:
    cell = Cell.parse(f"{model}/{name}Model/forward-dynamic/dynamo")
    trace = _trace(model, name, **changes)  # type: ignore[arg-type]  # the rows' own keywords
    failed = Result(cell=cell, outcome=Outcome.FAIL, stage=Stage.CAPTURE, traceback=trace)
    return label(failed).signature


def test_generated_copies_of_a_model_share_a_group() -> None:
    assert _signature("llama", "Llama") == _signature("mistral", "Mistral")
    assert _signature("llama", "Llama") == _signature("qwen2_moe", "Qwen2Moe")


@pytest.mark.parametrize("changes", [{"line": 99}, {"symbol": "u17"}], ids=str)
def test_what_moves_between_versions_does_not_matter(changes: dict[str, object]) -> None:
    assert _signature("llama", "Llama") == _signature("llama", "Llama", **changes)


def test_another_line_of_code_is_another_failure() -> None:
    other = _signature("llama", "Llama", source="return self.norm(hidden)")
    assert _signature("llama", "Llama") != other


def _guarded(line: int, *, component: str = "model", expression: str = "Eq(u0, 1)") -> Result:
    """A failure whose place torch names by line only; two lines of one function lead there."""
    path = "transformers/models/led/modeling_led.py"
    said = f"GuardOnDataDependentSymNode: Could not guard on data-dependent expression {expression}"
    trace = (
        f'  File "/a/{path}", line 193, in forward\n    if is_global_attn:\n'
        f'  File "/a/{path}", line 733, in forward\n    if blocks > 0:\n'
        f"torch.fx.experimental.symbolic_shapes.{said}\n"
        f"Caused by: ({path}:{line} in forward)\n"
    )
    part = ComponentResult(name=component, outcome=Outcome.FAIL, stage=Stage.CAPTURE, reason=said)
    cell = Cell.parse("led/LEDModel/forward-static/onnx")
    reason = said if component == "model" else f"{component}: {said}"
    failed = Result(cell=cell, outcome=Outcome.FAIL, stage=Stage.CAPTURE, traceback=trace)
    return label(failed.replace(reason=reason, components=(part,)))


def test_the_line_that_torch_names_as_the_cause_tells_failures_apart() -> None:
    assert _guarded(193).signature != _guarded(733).signature
    assert _guarded(193).title == "can't guard on Eq(<sym>, <int>) at `if is_global_attn:`"


def test_neither_the_component_nor_the_expression_makes_another_group_of_one_line() -> None:
    found = {
        _guarded(193).signature,
        _guarded(193, component="language_model").signature,
        _guarded(193, expression="u0 + u1 > 1").signature,
    }
    assert len(found) == 1


def test_one_line_that_many_models_come_through_is_one_group() -> None:
    shared = (
        '  File "/a/transformers/integrations/sdpa_attention.py", line 90, in sdpa\n'
        "    is_causal = q_length > 1\n"
    )

    def through(model: str, source: str) -> str | None:
        cell = Cell.parse(f"{model}/XModel/forward-static/onnx")
        trace = _trace(model, "X", source=source).replace("torch.fx", f"{shared}torch.fx", 1)
        failed = Result(cell=cell, outcome=Outcome.FAIL, stage=Stage.CAPTURE, traceback=trace)
        return label(failed).signature

    assert through("mimi", "attention(query)") == through("glm", "for q in splits")


def test_a_helper_that_checks_for_everybody_is_no_place() -> None:
    check = (
        '  File "/a/transformers/utils/import_utils.py", line 9, in torch_compilable_check\n'
        "    raise error\n"
    )

    def checked(source: str) -> str | None:
        cell = Cell.parse("mimi/MimiModel/forward-static/onnx")
        trace = _trace("mimi", "Mimi", source=source) + check
        failed = Result(cell=cell, outcome=Outcome.FAIL, stage=Stage.CAPTURE, traceback=trace)
        return label(failed).signature

    assert checked("check(a)") != checked("check(b)")


def test_the_version_stands_in_the_id() -> None:
    found = _signature("llama", "Llama")
    assert found is not None
    assert is_current(found)
    assert is_current(f"{found}.2")  # a part that was split off
    assert not is_current("s1-0123456789ab")
    assert not is_current(f"{found}/../..")
    assert not is_current(None)


def _mismatch(difference: float, output: str = "logits", *, model: str = "") -> Result:
    differs = OutputDifference(name=output, max_abs_diff=difference, problem="values")
    why = f"output {output!r}: 3 of 9 elements beyond tolerance, largest difference {difference}"
    replaced = f"transformers.models.{model.lower()}.modeling_x.{model}VisionAttention.forward"
    part = ComponentResult(
        name="model",
        outcome=Outcome.FAIL,
        stage=Stage.COMPARE,
        kind="mismatch",
        reason=why,
        outputs=(differs,),
        patches=("torch.where", replaced) if model else ("torch.where",),
    )
    cell = Cell.parse(f"{model.lower() or 'bert'}/BertModel/forward-static/onnx")
    return label(
        Result(
            cell=cell,
            outcome=Outcome.FAIL,
            stage=Stage.COMPARE,
            kind="mismatch",
            reason=why,
            components=(part,),
        )
    )


def test_mismatches_are_told_apart_by_their_size() -> None:
    assert _mismatch(0.011).signature == _mismatch(0.024).signature
    assert _mismatch(0.011).signature != _mismatch(1.1).signature
    assert _mismatch(0.011).title == "output 'logits' differs by about 1e-2"


def test_the_layer_of_a_cache_does_not_make_another_group() -> None:
    first, second = (_mismatch(0.02, f"past_key_values.layers.{number}.keys") for number in (0, 1))
    assert first.signature == second.signature


def test_values_that_differ_where_the_exporters_replace_a_models_code_are_one_group() -> None:
    first, second = _mismatch(0.1, model="Glm"), _mismatch(1.5, "pooler_output", model="Dots")
    assert first.signature == second.signature
    assert first.title == "values differ grossly where <model>VisionAttention.forward is replaced"


def test_slight_differences_of_a_runtime_that_approximates_are_its_own() -> None:
    def differs(model: str, backend: str, by: float) -> str | None:
        found = _mismatch(by)
        return label(
            found.replace(cell=Cell.parse(f"{model}/X/forward-static/{backend}"))
        ).signature

    assert differs("gemma", "executorch", 0.004) == differs("siglip", "executorch", 0.0004)
    assert differs("gemma", "executorch", 0.4) != differs("siglip", "executorch", 0.4)
    assert differs("gemma", "onnx", 0.004) != differs("siglip", "onnx", 0.004)


def test_values_of_one_model_differ_alike_whichever_head_shows_it() -> None:
    assert _mismatch(0.02, "logits").signature == _mismatch(0.004, "last_hidden_state").signature


def test_what_was_raised_without_a_word_is_named_by_its_line() -> None:
    frame = '  File "/a/executorch/exir/verifier.py", line 9, in check\n    assert op.is_known\n'
    failed = _died(Outcome.FAIL, Stage.LOWER, f"{frame}AssertionError\n")
    assert failed.title == "AssertionError at `assert op.is_known`"


def _shaped(more: str = "", *, output: str = "past_key_values.layers.0.keys") -> Result:
    why = f"output {output!r}: shape (2, 2, 10, 16), eager gives (2, 2, 7, 16){more}"
    wrong = OutputDifference(name=output, problem="shape")
    values = OutputDifference(name="logits", problem="values", max_abs_diff=2.0)
    part = ComponentResult(
        name="model",
        outcome=Outcome.FAIL,
        stage=Stage.COMPARE,
        kind="mismatch",
        reason=why,
        outputs=(wrong, values),
    )
    cell = Cell.parse("bert/BertModel/forward-static/onnx")
    failed = Result(cell=cell, outcome=Outcome.FAIL, stage=Stage.COMPARE, kind="mismatch")
    return label(failed.replace(reason=why, components=(part,)))


def test_a_wrong_shape_is_told_by_what_has_it_and_not_by_how_many_more_have() -> None:
    assert _shaped().signature == _shaped(" (and 3 more)").signature
    assert _shaped().kind == "cache-shape"
    assert _shaped(output="logits").kind == "output-shape"
    assert _shaped().title == (
        "output 'past_key_values.layers.<int>.keys': shape <shape>, eager gives <shape>"
    )


def _died(outcome: Outcome, stage: Stage, frame: str = "") -> Result:
    cell = Cell.parse("swin/SwinModel/forward-dynamic/executorch")
    signal = "SIGSEGV" if outcome is Outcome.CRASH else "SIGKILL"
    return label(Result(cell=cell, outcome=outcome, stage=stage, signal=signal, traceback=frame))


def test_a_death_is_named_by_how_and_where_it_ended() -> None:
    assert _died(Outcome.CRASH, Stage.LOWER).title == "SIGSEGV at lower"
    assert _died(Outcome.TIMEOUT, Stage.CAPTURE).title == "timeout at capture"


def test_the_moment_at_which_a_limit_struck_says_nothing() -> None:
    frames = [
        '  File "/a/torch/export/x.py", line 1, in a\n    b\n',
        '  File "/a/torch/export/y.py", line 2, in c\n    d\n',
    ]
    first, second = (_died(Outcome.TIMEOUT, Stage.LOWER, frame).signature for frame in frames)
    assert first == second


def test_a_pass_has_no_label() -> None:
    passed = Result(cell=Cell.parse("a/A/forward-static/onnx"), outcome=Outcome.PASS)
    assert label(passed) == passed
