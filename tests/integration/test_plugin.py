"""Cells are pytest items, and results are lines that the controller writes. Toy cells only."""

import json
import subprocess
import sys

import pytest

from harness.results import Outcome, Stage
from tests.conftest import ROOT, Matrix, counted, toys

FATES = {
    "Passes": "PASSED",
    "DriftsNumerically": "FAILED",
    "Exits": "CRASH",
    "RefusesToBuild": "ERROR",
}


def test_collecting_lists_each_cell_once_and_starts_nothing(matrix: Matrix) -> None:
    matrix.write(["# toys", "", *toys("Passes", "Hangs", "Passes"), f"{toys('Exits')[0]}  # dies"])
    output = matrix.run("--collect-only", "-q")
    listed = [line for line in output.splitlines() if "::" in line]
    assert listed == [f"s.cells::{cell}" for cell in toys("Passes", "Hangs", "Exits")]
    assert not (matrix.folder / "r.jsonl").exists()


@pytest.mark.parametrize(
    "arguments", [["s.cells::toy/Passes/forward-static/toy"], ["-k", "Passes and static"]]
)
def test_a_cell_is_chosen_as_any_pytest_item_is(matrix: Matrix, arguments: list[str]) -> None:
    matrix.write(toys("Passes", "Hangs"))
    assert counted(matrix.run(*arguments))["passed"] == 1
    assert list(matrix.results()) == ["Passes"]


def test_the_cells_that_failed_last_are_run_again(matrix: Matrix) -> None:
    matrix.variables["HF_HOME"] = str(matrix.folder)
    matrix.write(toys("Passes", "Flakes"))
    first, second = matrix.run(), matrix.run("--lf", "--matrix-results=again.jsonl")
    assert counted(first) == {"failed": 1, "passed": 1}
    assert "1 passed" in second.splitlines()[-1]


@pytest.mark.parametrize("workers", [[], ["-n2", "--dist=worksteal"], ["-n2", "--dist=load"]])
def test_each_outcome_has_its_word_and_is_counted_once(matrix: Matrix, workers: list[str]) -> None:
    matrix.write([*toys(*FATES), *toys("Sleeps", backend="absent")])
    output = matrix.run("-v", *workers)
    assert counted(output) == {"passed": 1, "failed": 2, "error": 1, "skipped": 1}
    for name, word in {**FATES, "Sleeps": "SKIPPED"}.items():
        assert any(name in line and word in line for line in output.splitlines()), name
    assert len(matrix.results()) == len(FATES) + 1


def test_a_result_says_what_was_run_and_where(matrix: Matrix) -> None:
    matrix.write(toys("Passes", "Exits"))
    matrix.run("--matrix-run=r1", "--matrix-revision=5.23.0", "--matrix-attempt=2")
    for result in matrix.results().values():
        assert (result.run, result.revision, result.attempt) == ("r1", "5.23.0", 2)
        assert "python" in result.stack


def test_a_plugin_labels_a_result_before_it_is_written(matrix: Matrix) -> None:
    (matrix.folder / "labels.py").write_text(
        "def pytest_matrix_label(result):\n    return result.replace(kind='my-kind')\n"
    )
    matrix.write(toys("Exits"))
    matrix.run("-p", "labels", "-n1")
    assert matrix.results()["Exits"].kind == "my-kind"


def test_what_a_model_says_reaches_the_terminal_without_its_escapes(matrix: Matrix) -> None:
    matrix.write(toys("PrintsMarkup"))
    output = matrix.run()
    assert "\x1b[31m" not in output
    assert r"\x1b[31mred" in output


def test_a_failure_reads_reason_first(matrix: Matrix) -> None:
    matrix.write(toys("Exits"))
    assert "crash at lower: exited with 3" in matrix.run()


def test_a_line_that_is_no_cell_is_told_with_its_number(matrix: Matrix) -> None:
    matrix.write([*toys("Passes"), "toy/Passes"])
    output = matrix.run()
    assert "s.cells:2: 'toy/Passes' is not a cell id" in output
    assert counted(output) == {"error": 1}


def test_a_revision_comes_first_on_the_path(matrix: Matrix) -> None:
    matrix.write(toys("TellsVariables"))
    matrix.run("--matrix-revision-path=release")
    told = matrix.results()["TellsVariables"].traceback or ""
    assert f"PYTHONPATH={matrix.folder / 'release'}:" in told


def test_the_plugin_imports_only_pytest_and_the_standard_library() -> None:
    script = (
        "import sys, pytest; before = set(sys.modules); import harness.plugin;"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names) - {'harness'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_plugin_is_inert_without_cells(matrix: Matrix) -> None:
    (matrix.folder / "test_plain.py").write_text("def test_plain(): pass\n")
    matrix.write(toys("Exits"))
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "test_plain.py", "--matrix-results=r.jsonl"],
        cwd=matrix.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "1 passed" in process.stdout
    assert not (matrix.folder / "r.jsonl").exists()


def test_a_backend_that_can_not_be_loaded_is_an_error_that_names_it(matrix: Matrix) -> None:
    matrix.write(toys("Passes", backend="toi"))
    matrix.run()
    result = matrix.results()["Passes"]
    assert (result.outcome, result.stage) == (Outcome.ERROR, Stage.BUILD)
    assert "unknown backend 'toi'; did you mean 'toy'?" in (result.reason or "")


def test_shapes_that_can_not_be_read_are_an_error_of_each_cell(matrix: Matrix) -> None:
    matrix.write(toys("Passes"))
    matrix.run("--matrix-dynamic-shapes=absent.toml")
    result = matrix.results()["Passes"]
    assert result.outcome is Outcome.ERROR
    assert "no such file" in (result.reason or "")


def test_an_outcome_of_ours_is_told_apart_from_theirs(matrix: Matrix) -> None:
    matrix.write(toys("RefusesToBuild", "BranchesOnData"))
    matrix.run()
    outcomes = {name: result.outcome for name, result in matrix.results().items()}
    assert outcomes == {"RefusesToBuild": Outcome.ERROR, "BranchesOnData": Outcome.FAIL}


def test_each_cell_is_held_to_its_own_terms(matrix: Matrix) -> None:
    slow, other = toys("Sleeps", "EatsMemory")
    matrix.write([slow, other])
    terms = {slow: {"time_limit_s": 0.5}, other: {"memory_limit_mib": 100}}
    (matrix.folder / "terms.json").write_text(json.dumps(terms))
    matrix.run("--matrix-terms=terms.json", "--matrix-time-limit=30", "-n2")
    reasons = {name: result.reason or "" for name, result in matrix.results().items()}
    assert reasons["Sleeps"] == "over the time limit of 0.5 s"
    assert reasons["EatsMemory"].startswith("over the memory limit of 100 MiB")


def test_terms_that_can_not_be_read_stop_pytest_with_the_name_of_the_file(matrix: Matrix) -> None:
    matrix.write(toys("Passes"))
    output = matrix.run("--matrix-terms=absent.json")
    assert "absent.json is no file of terms" in output
    assert "Traceback" not in output
