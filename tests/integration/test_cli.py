"""The command line from end to end on the toy zoo: real pytest, real files, a real database."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import wait_for

Completed = subprocess.CompletedProcess[str]
Cli = Callable[..., Completed]

TOY = ["--zoo", "tests.toyzoo", "--backend", "toy"]
QUICK = ["toy/Passes", "toy/DriftsNumerically", "toy/RefusesToBuild"]


def _variables() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root, "COLUMNS": "200"}  # noqa: TID251  (handed on)


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `export-matrix` in an empty folder."""

    def call(*arguments: str, stdin: str = "", **variables: str) -> Completed:
        return subprocess.run(
            [sys.executable, "-m", "runner.cli", *arguments],
            cwd=tmp_path,
            env=_variables() | variables,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def _selected(*words: str) -> list[str]:
    return [f"{word}/*" for word in words]


def test_a_run_with_failing_cells_is_complete_and_exits_with_0(cli: Cli) -> None:
    done = cli("run", *_selected(*QUICK), *TOY, "--json")
    record = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert record["received"] == record["expected"] == 6
    assert record["outcomes"]["pass"] == 2
    assert record["outcomes"]["fail"] == 2
    assert record["outcomes"]["error"] == 2
    assert record["schedule"]["cells"] == 6
    assert record["schedule"]["makespan_s"] > 0


def test_what_cannot_run_here_is_a_skip_with_the_way_out_and_the_rest_runs(
    cli: Cli, tmp_path: Path
) -> None:
    zoo = ["--zoo", "tests.toyzoo", "--backend", "toy", "--backend", "absent", "-v"]
    done = cli("run", *_selected("toy/Passes", "toy/NeedsMissingPackage"), *zoo, "forward-static")
    assert done.returncode == 0, done.stderr
    assert "1 passed, 3 skipped in " in done.stdout
    lines = (tmp_path / ".export-matrix").glob("runs/*/shards/skips.jsonl")
    reasons = {
        json.loads(line)["reason"] for file in lines for line in file.read_text().splitlines()
    }
    assert reasons == {"needs the package no-such-package", "pip install no-such-package"}


def test_a_run_ends_with_its_summary_and_the_line_that_opens_the_dashboard(cli: Cli) -> None:
    done = cli("run", "toy/Passes/*", *TOY)
    assert "2 passed in " in done.stdout
    assert "schedule: 2 cells by " in done.stdout
    assert "export-matrix serve" in done.stdout
    assert "/runs/1" in done.stdout


INTERRUPTED = _selected("toy/Passes", "toy/Sleeps", "toy/DriftsNumerically")


def _start(folder: Path) -> subprocess.Popen[str]:
    """A run of which a cell will not end by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "runner.cli", "run", *INTERRUPTED, *TOY, "-n", "1"],
        cwd=folder,
        env=_variables(),
        stderr=subprocess.PIPE,
        text=True,
    )


def _resumed(cli: Cli) -> dict[str, int]:
    done = cli("run", "--resume", "latest", "--json", "--time-limit", "3")
    record: dict[str, int] = json.loads(done.stdout)
    return record


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_keeps_its_results_and_can_be_resumed(
    cli: Cli, tmp_path: Path, ending: signal.Signals
) -> None:
    running = _start(tmp_path)
    _wait_for_result(tmp_path)
    running.send_signal(ending)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "export-matrix run --resume" in told
    record = _resumed(cli)
    assert record["received"] == record["expected"] == 6


def test_a_killed_run_leaves_no_process_and_can_be_resumed(cli: Cli, tmp_path: Path) -> None:
    running = _start(tmp_path)
    _wait_for_result(tmp_path)
    running.kill()
    running.communicate(timeout=60)
    assert wait_for(lambda: not _processes(tmp_path))
    record = _resumed(cli)
    assert record["received"] == record["expected"] == 6


def test_a_run_is_one_runners_and_another_is_told_whose(cli: Cli, tmp_path: Path) -> None:
    running = _start(tmp_path)
    _wait_for_result(tmp_path)
    refused = cli("run", "--resume", "latest")
    running.kill()
    running.communicate(timeout=60)
    assert refused.returncode == 2
    assert f"is being run by process {running.pid};" in refused.stderr


def test_a_run_whose_pytest_can_not_start_is_incomplete_and_names_its_log(
    cli: Cli, tmp_path: Path
) -> None:
    done = cli("run", "toy/Passes/*", *TOY, PYTEST_ADDOPTS="--no-such-option")
    assert done.returncode == 1
    assert "incomplete: 0 of 2 cells; pytest ended early, its log is " in done.stdout
    log = re.search(r"its log is (\S+);", done.stdout)
    assert log is not None
    assert "no-such-option" in (tmp_path / log[1]).read_text()


def test_a_pytest_whose_runner_is_gone_runs_nothing(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "s.cells").write_text("toy/Passes/forward-static/toy\n")
    inside = ["-p", "runner.execute.inside", "--matrix-runner", str(gone.pid)]
    files = ["s.cells", "--matrix-zoo", "tests.toyzoo", "--matrix-results", "r.jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *files, *inside],
        cwd=tmp_path,
        env=_variables(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "the runner that started this is gone" in done.stderr + done.stdout
    assert not (tmp_path / "r.jsonl").exists()


def test_a_name_is_one_runs_in_a_folder(cli: Cli) -> None:
    assert cli("run", "toy/Passes/*", *TOY, "--name", "nightly").returncode == 0
    again = cli("run", "toy/Passes/*", *TOY, "--name", "nightly")
    assert again.returncode == 2
    assert "run nightly is there already" in again.stderr
    assert "--resume nightly" in again.stderr


def test_shares_of_a_run_on_one_machine_are_told_apart(cli: Cli) -> None:
    for number in (1, 2):
        name = ["--name", "both", "--shard", f"{number}/2"]
        done = cli("run", *_selected(*QUICK), *TOY, *name)
        if number == 1:
            assert "this share is done, the others are run elsewhere" in done.stdout
        resumed = cli("run", "--resume", f"both.{number}of2")
        assert resumed.returncode == done.returncode


def _processes(folder: Path) -> list[str]:
    """Command lines that work in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found


def _wait_for_result(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(file.stat().st_size for file in folder.glob(".export-matrix/runs/*/shards/*.jsonl")):
            return
        time.sleep(0.05)
    pytest.fail("no result was written in a minute")


def test_two_runs_of_the_same_revision_differ_in_nothing(cli: Cli) -> None:
    cli("run", *_selected(*QUICK), *TOY)
    cli("run", *_selected(*QUICK), *TOY)
    found = cli("diff", "1", "2", "--format", "json", "--fail-on", "regressed")
    record = json.loads(found.stdout)
    assert found.returncode == 0
    assert record["complete"] is True
    assert set(record["counts"]) <= {"still-passing", "still-failing", "unknown"}


def test_a_diff_with_an_incomplete_run_is_never_green(cli: Cli) -> None:
    cli("run", "toy/Passes/*", *TOY)
    cli("run", "toy/Passes/*", *TOY, "--no-reuse", PYTEST_ADDOPTS="--no-such-option")
    told = cli("diff", "1", "2", "--fail-on", "regressed")
    assert told.returncode == 1
    assert "incomplete: 0 of 2" in told.stdout
    assert "✅ no export lost" not in told.stdout
    assert "| 0 of 2 |" in cli("diff", "1", "2", "--format", "markdown").stdout
    assert json.loads(cli("diff", "1", "2", "--format", "json").stdout)["complete"] is False
    assert cli("diff", "1", "2").returncode == 0


def test_results_made_elsewhere_are_ingested_once(cli: Cli, tmp_path: Path) -> None:
    cli("run", "toy/Passes/*", *TOY)
    file = str(next(tmp_path.glob(".export-matrix/runs/*/shards/000.jsonl")))
    elsewhere = ["--database", "sqlite:///elsewhere.db"]
    assert "2 new results, 0 known" in cli("ingest", file, *elsewhere).stdout
    assert "0 new results, 2 known" in cli("ingest", file, *elsewhere).stdout


def test_cases_are_listed_with_their_status_as_json(cli: Cli) -> None:
    listed = cli("cases", *_selected("toy/Passes", "toy/RefusesToBuild"), *TOY, "--build", "--json")
    states = {record["model_class"]: record["status"] for record in json.loads(listed.stdout)}
    assert states == {"Passes": "ready", "RefusesToBuild": "error"}


def test_built_cases_end_with_how_many_run_and_why_others_do_not(cli: Cli) -> None:
    told = cli("cases", *_selected("toy/Passes", "toy/RefusesToBuild"), *TOY, "--build").stdout
    assert "2 model classes: 1 build and run" in told
    assert re.search(r"^ +1  error  .+", told, re.MULTILINE)
    assert "2 searched for in " in told


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "toy/Pases/*", *TOY], "Passes"),
        (["run", "--backend", "onx"], "onnx"),
        (["run", "--variant", "forward-statik"], "forward-static"),
        (["run", "modle:llama"], "model"),
        (["run", "--shard", "3/2"], "I/N"),
        (["run", "--resume", "never"], "resume"),
        (["diff", "1", "2"], "export-matrix"),
        (["reproduce", "llama/onnx"], "cell id"),
        (["classify", "absent.txt"], "absent.txt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_bad_input_is_one_line_that_names_the_way_out(
    cli: Cli, arguments: list[str], hint: str
) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert hint in last
    assert "Traceback" not in done.stderr


SHAPES = '["toy/*"]\nx = { 0 = "static", 1 = { max = 64 } }\n'


def _recipes(folder: Path) -> dict[str, str | None]:
    """What the results of the last run say of the given shapes, by variant."""
    lines = [
        json.loads(line)
        for file in folder.glob(".export-matrix/runs/*/shards/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return {line["cell"].split("/")[2]: line["recipe"].get("dynamic_shapes") for line in lines}


def test_given_shapes_reach_dynamic_cells_and_survive_their_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shapes.toml"
    file.write_text(SHAPES)
    done = cli("run", "toy/Passes/*", *TOY, "--dynamic-shapes", "shapes.toml")
    assert done.returncode == 0, done.stderr
    told = {"forward-static": None, "forward-dynamic": "x axis 0: static, x axis 1: 1 to 64"}
    assert _recipes(tmp_path) == told
    file.unlink()
    for results in tmp_path.glob(".export-matrix/runs/*/shards/*.jsonl"):
        results.unlink()
    assert cli("run", "--resume", "latest").returncode == 0
    assert _recipes(tmp_path) == told


def test_a_case_is_explained_with_the_shapes_that_are_given(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "shapes.toml").write_text(SHAPES)
    told = cli("cases", "toy/Passes/*", *TOY, "--explain", "--dynamic-shapes", "shapes.toml")
    assert '"dynamic_shapes": "x axis 0: static, x axis 1: 1 to 64"' in told.stdout


@pytest.mark.parametrize(
    ("command", "text", "hint"),
    [
        ("run", None, "no such file: shapes.toml"),
        ("run", '["toy/Pases"]\nx = { 0 = 2 }', "toy/Passes"),
        ("cases", '["toy/*"]\nx = { 0 = "statik" }', "did you mean 'static'?"),
    ],
)
def test_bad_shapes_are_told_in_one_line_before_anything_runs(
    cli: Cli, tmp_path: Path, command: str, text: str | None, hint: str
) -> None:
    if text is not None:
        (tmp_path / "shapes.toml").write_text(text)
    done = cli(command, "toy/Passes/*", *TOY, "--dynamic-shapes", "shapes.toml")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert hint in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".export-matrix" / "runs").exists()


def test_a_damaged_result_file_is_refused_whole_with_its_line(cli: Cli, tmp_path: Path) -> None:
    cli("run", "toy/Passes/*", *TOY)
    whole = next(tmp_path.glob(".export-matrix/runs/*/shards/000.jsonl")).read_text()
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text(whole + '{"schema": 1, "cell": "half\n')
    done = cli("ingest", str(damaged), "--database", "sqlite:///elsewhere.db")
    assert done.returncode == 2
    assert "damaged.jsonl:3" in done.stderr


def test_what_a_model_prints_can_not_steer_the_terminal(cli: Cli) -> None:
    cli("run", "toy/PrintsMarkup/*", "toy/Passes/*", *TOY)
    told = cli("diff", "1", "1")
    assert "\x1b" not in told.stdout


def test_a_text_without_a_failure_is_said_to_have_none(cli: Cli) -> None:
    done = cli("classify", "--json", stdin="5 passed in 1.2s\n")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "no failure found" in cli("classify", stdin="5 passed in 1.2s\n").stderr


LIMITS = '[[rule]]\ncells = "class:Sleeps"\ntime_s = 1\nreason = "it only sleeps"\n'


def _reasons(folder: Path) -> dict[tuple[str, int], str]:
    lines = [
        json.loads(line)
        for file in folder.glob(".export-matrix/runs/*/shards/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return {(line["cell"].split("/")[1], line["attempt"]): line["reason"] for line in lines}


def test_own_limits_hold_for_the_cells_they_name_also_when_resumed(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "limits.toml").write_text(LIMITS)
    select = ["toy/Sleeps/forward-static", "toy/Passes/forward-static", *TOY]
    done = cli("run", *select, "--limits", "limits.toml")
    assert "1 passed, 1 timed out in " in done.stdout
    (tmp_path / "limits.toml").unlink()
    for results in tmp_path.glob(".export-matrix/runs/*/shards/*.jsonl"):
        results.unlink()
    assert cli("run", "--resume", "latest").returncode == 0
    reasons = _reasons(tmp_path)
    assert reasons["Sleeps", 1] == reasons["Sleeps", 2] == "over the time limit of 1 s"


def test_bad_limits_are_told_in_one_line_before_anything_runs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_text(LIMITS.replace("time_s", "times"))
    for file, hint in [("limits.toml", "did you mean 'time_s'?"), ("absent.toml", "no such file")]:
        done = cli("run", "toy/Passes/*", *TOY, "--limits", file)
        assert (done.returncode, hint in done.stderr) == (2, True)
    assert not (tmp_path / ".export-matrix" / "runs").exists()
