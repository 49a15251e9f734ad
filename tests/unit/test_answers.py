"""Can I export it: since when, how exact, with which code."""

from harness.cells import Cell, Variant
from runner.core.answers import Answer, way
from runner.core.runs import Verdict
from runner.core.usage import export_code

ONE = Cell("bert", "BertModel", Variant.FORWARD_DYNAMIC, "onnx")
TWO = Cell("bert", "BertForMaskedLM", Variant.FORWARD_DYNAMIC, "onnx")


def _past(*verdicts: Verdict) -> list[tuple[int, Verdict, float | None]]:
    return [(run, verdict, 1e-6 * run) for run, verdict in enumerate(verdicts, 1)]


def test_yes_holds_since_the_last_class_began_to_pass() -> None:
    told = {
        ONE: _past(Verdict.PASS, Verdict.PASS, Verdict.PASS),
        TWO: _past(Verdict.FAIL, Verdict.PASS, Verdict.PASS),
    }
    found = way("onnx", "forward-dynamic", told, oldest=1)
    assert (found.answer, found.since, found.at_least) == (Answer.YES, 2, False)
    assert found.max_abs_diff == 3e-6


def test_a_run_without_a_result_breaks_no_row_of_passes() -> None:
    told = {ONE: _past(Verdict.PASS, Verdict.MISSING, Verdict.PASS, Verdict.ERROR)}
    found = way("onnx", "forward-dynamic", told, oldest=1)
    assert (found.answer, found.since, found.at_least) == (Answer.YES, 1, True)


def test_skips_alone_are_no_answer() -> None:
    told = {ONE: _past(Verdict.SKIP)}
    assert way("onnx", "forward-dynamic", told, oldest=1).answer is Answer.UNKNOWN


def test_one_class_of_two_is_partly() -> None:
    told = {ONE: _past(Verdict.PASS), TWO: _past(Verdict.CRASH)}
    found = way("onnx", "forward-dynamic", told, oldest=1)
    assert (found.answer, found.passed, found.ran, found.since) == (Answer.PARTLY, 1, 2, None)


def test_the_code_says_how_the_cell_was_exported() -> None:
    code = export_code(ONE, "text") or ""
    compile(code, "usage", "exec")
    assert "OnnxExporter().export(model, inputs, OnnxConfig(dynamic=True))" in code
    generates = Cell("gpt2", "GPT2LMHeadModel", Variant.GENERATE_STATIC, "dynamo")
    assert ".export_for_generation(" in (export_code(generates, "text") or "")


def test_inputs_of_several_modalities_are_left_to_the_reader_and_others_backends_have_no_code() -> (
    None
):
    code = export_code(ONE, "image and text") or ""
    compile(code, "usage", "exec")
    assert "inputs = dict(...)" in code
    assert export_code(Cell("a", "B", Variant.FORWARD_STATIC, "mine"), "text") is None
