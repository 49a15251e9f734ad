"""Runs as JUnit XML, and results from that of other suites."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from harness.cells import Cell
from harness.errors import RecordError
from harness.results import Outcome
from runner.core.report.junit import as_junit
from runner.core.report.junit_read import read_junit
from runner.core.runs import CellVerdict, Run, Verdict

RUN = Run(
    id=1,
    uid="night-1",
    revision="5.23.0",
    stack={"torch": "2.13"},
    selection="smoke",
    started_at=datetime(2026, 11, 23, tzinfo=UTC),
    expected=len(Verdict),
)
VERDICTS = [
    CellVerdict(
        cell=Cell.parse(f"llama/Llama{verdict.title()}/forward-dynamic/onnx"),
        verdict=verdict,
        title=None if verdict is Verdict.PASS else "no <such> op\x1b[31m \ud800",
        duration_s=1.5,
    )
    for verdict in Verdict
]


def test_only_a_pass_is_told_as_one() -> None:
    suite = fromstring(as_junit(RUN, VERDICTS))[0]
    fine = [case.get("classname") for case in suite.iter("testcase") if not len(case)]
    assert fine == ["llama.LlamaPass"]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "9", "failures": "5", "errors": "2", "skipped": "1"}


def test_what_was_written_is_read_as_the_same_cells_and_outcomes_without_the_missing() -> None:
    found = read_junit(as_junit(RUN, VERDICTS))
    outcomes = {each.cell: each.outcome.value for each in found.results}
    expected = {each.cell: each.verdict.value for each in VERDICTS}
    missing = next(each.cell for each in VERDICTS if each.verdict is Verdict.MISSING)
    flaky = next(each.cell for each in VERDICTS if each.verdict is Verdict.FLAKY)
    del expected[missing]
    expected[flaky] = "fail"
    assert outcomes == expected
    assert found.facts["run"] == "night-1"
    assert found.facts["stack.torch"] == "2.13"
    assert found.others == 0


def _suite(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def _theirs(name: str, inside: str) -> str:
    owner = "tests.models.llama.test_modeling_llama.LlamaModelTest"
    return f'<testcase classname="{owner}" name="{name}" time="0.5">{inside}</testcase>'


def test_a_test_of_transformers_own_suite_is_a_cell_where_it_names_the_class() -> None:
    failed = '<failure message="[LlamaModel/model] ValueError: no op">Traceback</failure>'
    found = read_junit(_suite(_theirs("test_onnx_export_dynamic", failed)))
    [result] = found.results
    assert result.cell.id == "llama/LlamaModel/forward-dynamic/onnx"
    assert result.outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("test_torch_export_static", "forward-static/dynamo"),
        ("test_torch_export_generate_dynamic", "generate-dynamic/dynamo"),
        ("test_executorch_export_generate_static_static_cache", "generate-cache-static/executorch"),
        ("test_onnx_export_generate_dynamic_static_cache", None),
        ("test_generate_from_inputs", None),
    ],
)
def test_variant_and_backend_are_in_the_name_of_their_test(name: str, cell: str | None) -> None:
    failed = '<failure message="(LlamaModel/decode) no op"/>'
    found = read_junit(_suite(_theirs(name, failed)))
    assert [each.cell.id for each in found.results] == (
        [f"llama/LlamaModel/{cell}"] if cell else []
    )
    assert found.others == (0 if cell else 1)


def test_a_passing_test_that_names_no_class_makes_no_pass() -> None:
    found = read_junit(_suite(_theirs("test_onnx_export_dynamic", "")))
    assert (found.results, found.others) == ((), 1)


def test_subtests_of_one_class_are_components_of_one_cell() -> None:
    failures = "".join(
        f'<failure message="[LlamaModel/{part}] no op"/>' for part in ("prefill", "decode")
    )
    [result] = read_junit(_suite(_theirs("test_onnx_export_generate_static", failures))).results
    assert [part.name for part in result.components] == ["prefill", "decode"]


SUITE = """
import unittest


class LlamaModelTest(unittest.TestCase):
    def test_onnx_export_static(self):
        for name in ("LlamaModel/model", "LlamaForCausalLM/model", "LlamaForX/model"):
            with self.subTest(name):
                if name.startswith("LlamaForX"):
                    self.skipTest("no such runtime")
                assert name != "LlamaForCausalLM/model", "no such op"
"""


def test_subtests_of_a_suite_that_pytest_runs_with_our_plugin_are_cells(tmp_path: Path) -> None:
    home = tmp_path / "tests/models/llama"
    home.mkdir(parents=True)
    for folder in (home, home.parent, home.parent.parent):
        (folder / "__init__.py").touch()
    (home / "test_modeling_llama.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ours = ["-p", "harness.subtests", "--junitxml=out.xml", "-p", "no:cacheprovider"]
    subprocess.run([sys.executable, "-m", "pytest", *ours, "-q"], cwd=tmp_path, check=False)
    found = read_junit((tmp_path / "out.xml").read_text())
    told = {each.cell.id: (each.outcome, each.reason) for each in found.results}
    assert told == {
        "llama/LlamaModel/forward-static/onnx": (Outcome.PASS, None),
        "llama/LlamaForCausalLM/forward-static/onnx": (
            Outcome.FAIL,
            "AssertionError: no such op",
        ),
        "llama/LlamaForX/forward-static/onnx": (Outcome.SKIP, "no such runtime"),
    }
    assert found.others == 0


def test_pytest_over_cells_files_names_cells_by_their_ids() -> None:
    text = _suite('<testcase classname="s.cells" name="toy/Passes/forward-static/toy" time="1"/>')
    [result] = read_junit(text).results
    assert (result.cell.id, result.outcome) == ("toy/Passes/forward-static/toy", Outcome.PASS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not xml", "not XML"),
        ("<html/>", "its root is 'html'"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>', "DOCTYPE"),
    ],
)
def test_what_is_no_junit_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        read_junit(text)
