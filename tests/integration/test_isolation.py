"""Each way to die costs only the cell that chose it. Toy cells, real processes, no torch."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.isolation.processes import kill_marked
from harness.results import Outcome, Result, Stage
from tests.conftest import Matrix, counted, toys, wait_for

LIMIT_S = 2.0
LIMIT_MIB = 200
DEATHS = [
    ("Segfaults", "crash", "killed by SIGSEGV", "SIGSEGV"),
    ("Aborts", "crash", "killed by SIGABRT", "SIGABRT"),
    ("IsKilled", "crash", "killed by SIGKILL", "SIGKILL"),
    ("Exits", "crash", "exited with 3", None),
    ("ExitsCleanly", "crash", "exited with 0", None),
    ("Hangs", "timeout", "over the time limit of 2 s", "SIGKILL"),
    ("Sleeps", "timeout", "over the time limit of 2 s", "SIGKILL"),
    ("DefiesSignals", "timeout", "over the time limit of 2 s", "SIGKILL"),
    ("EatsMemory", "oom", r"over the memory limit of 200 MiB \(2\d\d MiB\)", "SIGKILL"),
    ("FeedsAChild", "oom", r"over the memory limit of 200 MiB \(\d+ MiB\)", "SIGKILL"),
]
LIVES = ["ForksAnOrphan", "Litters", "Passes"]


@pytest.fixture(scope="module")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Matrix, str]]:
    """Every way to die in one run with two workers, between cells that live."""
    matrix = Matrix(folder=tmp_path_factory.mktemp("m"))
    matrix.write(toys(*LIVES, *(name for name, *_ in DEATHS), "TellsVariables"))
    matrix.variables = {"HF_TOKEN": "sesame", "EXPORT_MATRIX_DATABASE_URL": "sesame"}
    limits = [f"--matrix-time-limit={LIMIT_S}", f"--matrix-memory-limit={LIMIT_MIB}"]
    output = matrix.run("-n2", "--dist=worksteal", *limits)
    yield matrix, output
    for pid in matrix.alive():
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("name", "outcome", "reason", "killer"), DEATHS)
def test_a_death_is_told_as_what_it_was(
    deaths: tuple[Matrix, str], name: str, outcome: str, reason: str, killer: str | None
) -> None:
    result = deaths[0].results()[name]
    assert (result.outcome, result.stage, result.signal) == (outcome, Stage.LOWER, killer)
    assert re.fullmatch(reason, result.reason or "")
    assert result.durations_s["lower"] > 0
    assert "build" in result.durations_s


def test_the_cells_beside_the_dying_ones_pass(deaths: tuple[Matrix, str]) -> None:
    results = deaths[0].results()
    assert [results[name].outcome for name in LIVES] == ["pass"] * 3
    assert len(results) == len(LIVES) + len(DEATHS) + 1


def test_the_summary_counts_every_cell_once(deaths: tuple[Matrix, str]) -> None:
    assert counted(deaths[1]) == {"passed": len(LIVES), "failed": len(DEATHS) + 1}


@pytest.mark.parametrize("name", ["Hangs", "Sleeps", "DefiesSignals"])
def test_the_deadline_is_kept_even_while_c_code_holds_the_gil(
    deaths: tuple[Matrix, str], name: str
) -> None:
    assert LIMIT_S <= deaths[0].results()[name].duration_s < LIMIT_S + 1.5


@pytest.mark.parametrize("name", ["Hangs", "Sleeps", "Segfaults", "Aborts"])
def test_a_death_shows_the_python_line_it_died_in(deaths: tuple[Matrix, str], name: str) -> None:
    traceback = deaths[0].results()[name].traceback or ""
    assert re.search(r'toys\.py", line \d+, in lower', traceback)


def test_the_last_words_of_a_crash_are_kept(deaths: tuple[Matrix, str]) -> None:
    results = deaths[0].results()
    assert results["Segfaults"].log_tail == "about to read address 1"
    assert "std::runtime_error" in (results["Aborts"].log_tail or "")


def test_memory_is_counted_from_the_zygote_it_was_forked_from(deaths: tuple[Matrix, str]) -> None:
    results = deaths[0].results()
    assert LIMIT_MIB << 20 < (results["EatsMemory"].peak_rss_bytes or 0) < 2 * LIMIT_MIB << 20
    assert (results["Passes"].peak_rss_bytes or 0) < 40 << 20


def test_cpu_seconds_tell_a_cell_that_computed_from_one_that_waited(
    deaths: tuple[Matrix, str],
) -> None:
    results = deaths[0].results()
    waited, computed = (results[name].cpu_s or 0.0 for name in ("Sleeps", "Hangs"))
    assert 0 < waited < computed <= LIMIT_S + 1.5


def test_model_code_sees_no_token_and_no_database(deaths: tuple[Matrix, str]) -> None:
    told = deaths[0].results()["TellsVariables"].traceback or ""
    assert "HF_HUB_OFFLINE=1" in told
    assert "sesame" not in told


def test_nothing_is_left_of_a_run(deaths: tuple[Matrix, str]) -> None:
    assert deaths[0].alive() == {}
    assert deaths[0].left_files() == []


def test_a_zygote_that_dies_is_replaced_and_costs_the_cells_in_flight(matrix: Matrix) -> None:
    matrix.write(toys("Sleeps", "ForksAnOrphan", "Passes", "DriftsNumerically"))
    running = matrix.start("-n1", "--matrix-time-limit=60")
    assert wait_for(matrix.running_cells)
    (zygote,) = matrix.zygotes()
    os.kill(zygote, signal.SIGKILL)
    output, _ = running.communicate(timeout=60)
    results = matrix.results()
    assert counted(output) == {"failed": 2, "passed": 2}
    assert results["Sleeps"].outcome is Outcome.CRASH
    assert "zygote died" in (results["Sleeps"].reason or "")
    assert matrix.alive() == {}
    assert matrix.left_files() == []


@pytest.mark.parametrize("workers", [[], ["-n2"]])
@pytest.mark.parametrize("also", [[], ["zygote"]], ids=["controller", "controller and zygote"])
def test_a_kill_leaves_no_process_and_no_file(
    matrix: Matrix, workers: list[str], also: list[str]
) -> None:
    matrix.write(toys("Passes", "LeavesAndSleeps", "Hangs"))
    running = matrix.start("--matrix-time-limit=60", *workers)
    assert wait_for(lambda: len(matrix.orphans()) == 2)
    for zygote in matrix.zygotes() if also else ():
        os.kill(zygote, signal.SIGKILL)
    running.kill()
    running.communicate()
    assert wait_for(lambda: not matrix.alive())
    assert matrix.left_files() == []


def test_what_a_killed_zygote_left_is_gone_before_the_next_cell_is_told(matrix: Matrix) -> None:
    matrix.write(toys("LeavesAndSleeps", "ForksAnOrphan"))
    running = matrix.start("--matrix-time-limit=60")
    assert wait_for(lambda: len(matrix.orphans()) == 2)
    (zygote,) = matrix.zygotes()
    os.kill(zygote, signal.SIGKILL)
    output, _ = running.communicate(timeout=60)
    assert counted(output) == {"failed": 1, "passed": 1}
    assert matrix.alive() == {}
    assert matrix.left_files() == []


def test_the_next_run_clears_up_what_nobody_could_and_spares_what_lives(matrix: Matrix) -> None:
    matrix.write(toys("LeavesAndSleeps"))
    abandoned, living = (matrix.start("--matrix-time-limit=60") for _ in range(2))
    assert wait_for(lambda: len(matrix.orphans()) == 4)
    folders = {int(home.name): home.parents[1] for home in matrix.temporary.glob("*/cells/*")}
    lost = next(folder for pid, folder in folders.items() if _started(pid, abandoned.pid))
    abandoned.send_signal(signal.SIGSTOP)  # it would clear up after its zygote
    os.waitid(os.P_PID, abandoned.pid, os.WSTOPPED | os.WNOWAIT)
    for pid, line in matrix.alive().items():
        if "harness.isolation" in line and str(lost) in line:
            os.kill(pid, signal.SIGKILL)
    abandoned.kill()
    abandoned.communicate()
    assert len(matrix.orphans()) == 4
    assert len(matrix.left_files()) == 2
    matrix.write(toys("Passes"))
    assert counted(matrix.run("--matrix-results=next.jsonl")) == {"passed": 1}
    assert matrix.left_files() == list(set(folders.values()) - {lost})
    assert len(matrix.orphans()) == 2
    living.kill()
    living.communicate()
    assert wait_for(lambda: not matrix.alive())


def test_a_resumed_run_that_lacks_nothing_clears_up_what_a_stopped_machine_left(
    matrix: Matrix,
) -> None:
    matrix.cli("run", *toys("Passes"), "--zoo=tests.toyzoo", "--backend=toy").communicate()
    left = [matrix.temporary / f"export-matrix-host-{each}" for each in ("closing", "beginning")]
    for folder in left:
        folder.mkdir()
    (left[0] / "owner").touch()
    matrix.cli("run", "--resume=latest").communicate()
    assert matrix.left_files() == []


def _started(pid: int, ancestor: int) -> bool:
    while pid > 1 and pid != ancestor:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return pid == ancestor


def test_a_zygote_that_grows_is_replaced_and_no_cell_notices(matrix: Matrix) -> None:
    (matrix.folder / "greedy.py").write_text(
        "import os\n"
        "from tests.toyzoo import zoo\n"
        "eaten = []\n"
        "os.register_at_fork(after_in_parent=lambda: eaten.append(b'x' * (64 << 20)))\n"
    )
    names = ["DriftsNumerically", "ForksAnOrphan", "Litters", "Passes", "SpecializesBatch"]
    matrix.write(toys(*names, "Sleeps"))
    limits = ["--matrix-time-limit=3", "--matrix-zygote-growth=40"]
    output = matrix.run("-n2", "--dist=worksteal", "--matrix-zoo=greedy", *limits)
    assert counted(output) == {"passed": 4, "failed": 2}
    outcomes = {result.outcome for result in matrix.results().values()}
    assert outcomes == {Outcome.PASS, Outcome.FAIL, Outcome.TIMEOUT}
    assert re.search(r"replaced [3-6] times: its memory grew", output)
    assert matrix.alive() == {}
    assert matrix.left_files() == []


def test_a_cold_cell_is_a_process_of_its_own_and_obeys_the_same_limits(matrix: Matrix) -> None:
    names = ["Passes", "Segfaults", "Hangs", "EatsMemory", "ForksAnOrphan", "SpoilsTheHarness"]
    matrix.write(toys(*names, "KnowsItsOrigin"))
    limits = ["--matrix-time-limit=8", "--matrix-memory-limit=300"]
    matrix.run("-n2", "--dist=worksteal", "--matrix-cold", *limits)
    results = matrix.results()
    outcomes = [results[name].outcome for name in names]
    assert outcomes == ["pass", "crash", "timeout", "oom", "pass", "error"]
    for name in ("Segfaults", "Hangs"):
        assert re.search(r'toys\.py", line \d+, in lower', results[name].traceback or "")
    told = [results[name].components[0].digest for name in ("KnowsItsOrigin", "Passes")]
    assert matrix.alive() == {}
    assert matrix.left_files() == []
    matrix.write(toys("KnowsItsOrigin", "Passes"))
    matrix.run("--matrix-results=forked.jsonl")
    forked = (matrix.folder / "forked.jsonl").read_text().splitlines()
    again = [Result.from_line(line).components[0].digest for line in forked]
    assert [one == other for one, other in zip(told, again, strict=True)] == [False, True]


def test_an_interrupt_keeps_what_was_written_and_leaves_nothing(matrix: Matrix) -> None:
    matrix.write(toys("Passes", "Sleeps"))
    running = matrix.start("--matrix-time-limit=60")
    assert wait_for(lambda: matrix.running_cells() and "Passes" in matrix.written())
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert list(matrix.results()) == ["Passes"]
    assert matrix.alive() == {}
    assert matrix.left_files() == []


def test_a_worker_that_dies_is_a_crash_of_the_cell_it_had(matrix: Matrix) -> None:
    matrix.write(toys("Sleeps", "Passes", "DriftsNumerically"))
    running = matrix.start("-n1", "--matrix-time-limit=60", "--max-worker-restart=3")
    assert wait_for(matrix.running_cells)
    (child,) = matrix.running_cells()
    (worker,) = [pid for pid, line in matrix.alive().items() if " -c " in line]
    os.kill(worker, signal.SIGKILL)
    output, _ = running.communicate(timeout=60)
    assert counted(output) == {"failed": 2, "passed": 1}
    assert matrix.results()["Sleeps"].reason == "pytest worker died"
    assert child not in matrix.alive()


def test_a_zoo_that_is_none_is_an_error_of_ours_for_every_cell(matrix: Matrix) -> None:
    matrix.write(toys("Passes", "Sleeps"))
    output = matrix.run("--matrix-zoo=tests.nozoo")
    assert counted(output) == {"error": 2}
    assert "no provider" in (matrix.results()["Sleeps"].reason or "")


def test_two_hundred_cells_that_do_nothing_take_seconds(matrix: Matrix) -> None:
    matrix.write([cell for n in range(200) for cell in toys(f"Unknown{n}")])
    started = time.monotonic()
    output = matrix.run("-q", "--tb=no")
    assert counted(output) == {"error": 200}
    assert time.monotonic() - started < 30


def test_what_breaks_in_the_harness_is_an_error_of_ours_and_no_crash(matrix: Matrix) -> None:
    matrix.write(toys("SpoilsTheHarness"))
    matrix.run()
    result = matrix.results()["SpoilsTheHarness"]
    assert result.outcome is Outcome.ERROR
    assert "the harness broke: TypeError" in (result.reason or "")
    assert "in attempt" in (result.traceback or "")


def test_who_waits_for_a_cell_is_killed_before_it(tmp_path: Path) -> None:
    """Else it would tell of a crash of the cell. Ids may have begun anew in between."""
    last = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(last, os.W_OK):
        pytest.skip("process ids can't be chosen here")
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    mark = {"OF_A_TEST": str(tmp_path)}
    for _ in range(20):
        told = tmp_path / "told"
        told.unlink(missing_ok=True)
        command = [sys.executable, script, last, told]
        last.write_text("20000")
        with subprocess.Popen(command, env=mark, stdout=subprocess.PIPE, text=True) as waits:
            assert waits.stdout is not None
            assert int(waits.stdout.readline()) < waits.pid
            kill_marked("OF_A_TEST", str(tmp_path))
        assert (waits.returncode, told.exists()) == (-signal.SIGKILL, False)


WAITS = """
import os, sys, time
for number in range(10_000, 10_100):
    with open(sys.argv[1], "w") as last:
        last.write(str(number))
    child = os.fork()
    if not child:
        time.sleep(60)
    if child < os.getpid():
        break
    os.kill(child, 9)
    os.waitpid(child, 0)
print(child, flush=True)
os.waitpid(child, 0)
open(sys.argv[2], "w").close()
"""
