"""How a child ended → a result. No process is started."""

import signal
from typing import Any

import pytest

from harness.cells import Cell
from harness.isolation.endings import Cause, Ending, conclude, readable_stack, tail
from harness.isolation.host import variables
from harness.isolation.messages import (
    Entered,
    Limits,
    Request,
    read_message,
    result_message,
    stage_message,
)
from harness.results import Outcome, Result, Stage

CELL = Cell.parse("toy/Passes/forward-static/toy")
OTHER = Cell.parse("toy/Hangs/forward-static/toy")
REQUEST = Request(cell=CELL, attempt=2, limits=Limits(time_s=5, memory_bytes=100 << 20))
PASS = Result(cell=CELL, outcome=Outcome.PASS)
DUMP = """Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/a/modeling_toy.py", line 7 in forward
  File "/a/main.py", line 1 in <module>

Extension modules: numpy (total: 1)
"""


def _ended(**changes: Any) -> Result:  # noqa: ANN401  (any field's type)
    entered = (Entered(Stage.BUILD, 10.0), Entered(Stage.LOWER, 11.0))
    plain = {"request": REQUEST, "started": 10.0, "ended": 14.0, "exit_code": 0, "peak_bytes": 9}
    plain |= {"cpu_s": 2.5}
    return conclude(Ending(**{"entered": entered, **plain, **changes}))


def test_what_the_child_said_stands() -> None:
    assert _ended(said=PASS) == PASS.replace(peak_rss_bytes=9, cpu_s=2.5)


def test_what_the_child_said_stands_even_if_it_then_died() -> None:
    assert _ended(said=PASS, exit_code=-signal.SIGSEGV).outcome is Outcome.PASS


def test_a_result_for_another_cell_is_not_believed() -> None:
    result = _ended(said=PASS.replace(cell=OTHER))
    assert (result.cell, result.outcome) == (CELL, Outcome.CRASH)


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"exit_code": -signal.SIGSEGV}, "crash", "killed by SIGSEGV"),
        ({"exit_code": -35}, "crash", "killed by signal 35"),
        ({"exit_code": 3}, "crash", "exited with 3"),
        ({"exit_code": 0}, "crash", "exited with 0"),
        ({"exit_code": -9, "cause": Cause.DEADLINE}, "timeout", "over the time limit of 5 s"),
        ({"exit_code": 0, "cause": Cause.DEADLINE, "said": PASS}, "timeout", "over the time"),
        ({"exit_code": -9, "cause": Cause.MEMORY}, "oom", "over the memory limit of 100 MiB"),
        ({"exit_code": -9, "kernel_oom": True}, "oom", "killed by the kernel"),
        ({"exit_code": -6, "kernel_oom": True}, "crash", "killed by SIGABRT"),
        ({"exit_code": -9}, "crash", "killed by SIGKILL"),
    ],
)
def test_an_end_without_a_result_is_never_a_pass(
    changes: dict[str, Any], outcome: str, reason: str
) -> None:
    result = _ended(**changes)
    assert result.outcome == outcome
    assert (result.reason or "").startswith(reason)
    assert (result.stage, result.attempt) == (Stage.LOWER, 2)


def test_the_last_stage_lasts_until_the_end() -> None:
    assert _ended(exit_code=1).durations_s == {"build": 1.0, "lower": 3.0}


def test_a_stack_reads_like_a_traceback() -> None:
    assert readable_stack(DUMP) == (
        "Traceback (most recent call last):\n"
        '  File "/a/main.py", line 1, in <module>\n'
        '  File "/a/modeling_toy.py", line 7, in forward\n'
        "Fatal Python error: Segmentation fault"
    )
    assert readable_stack("") is None


def test_only_the_last_forty_lines_of_a_log_are_kept() -> None:
    assert (tail("\n".join(map(str, range(100)))) or "").splitlines() == list(
        map(str, range(60, 100))
    )
    assert tail("") is None


def test_messages_come_back_as_they_were() -> None:
    assert read_message(stage_message(Stage.LOWER, 1.5)) == Entered(Stage.LOWER, 1.5)
    assert read_message(result_message(PASS)) == PASS
    assert Request.from_line(REQUEST.to_line()) == REQUEST


@pytest.mark.parametrize("line", [b"hello", b"[]", b'{"stage": "lunch", "at": 1}', b"\xff", b"1"])
def test_what_makes_no_sense_is_not_a_message(line: bytes) -> None:
    assert read_message(line) is None


def test_only_allowed_variables_are_handed_on() -> None:
    given = {
        "PATH": "/bin",
        "HF_HOME": "/cache",
        "HF_TOKEN": "x",
        "GITHUB_TOKEN": "x",
        "TRANSFORMERS_TOKEN_FILE": "x",
        "EXPORT_MATRIX_DATABASE_URL": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    handed = variables(given, None)
    assert "x" not in handed.values()
    assert (handed["HF_HOME"], handed["HF_HUB_OFFLINE"]) == ("/cache", "1")
