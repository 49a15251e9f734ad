"""The same failure has the same signature, another has another."""

import pytest

from harness.cells import Cell
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.label import label


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


def test_the_version_stands_in_the_id() -> None:
    assert (_signature("llama", "Llama") or "").startswith("s1-")


def _mismatch(difference: float, output: str = "logits") -> Result:
    differs = OutputDifference(name=output, max_abs_diff=difference, problem="values")
    why = f"output {output!r}: 3 of 9 elements beyond tolerance, largest difference {difference}"
    part = ComponentResult(
        name="model",
        outcome=Outcome.FAIL,
        stage=Stage.COMPARE,
        kind="mismatch",
        reason=why,
        outputs=(differs,),
    )
    cell = Cell.parse("bert/BertModel/forward-static/onnx")
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
