"""The pytest plugin inside a shard: labels results as they come, and ends when the runner ends."""

import signal

import pytest

from harness.isolation.processes import tie_to_parent
from harness.results import Result
from runner.core.label import label


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--matrix-runner", type=int, metavar="PID", help="process that started this")


def pytest_configure(config: pytest.Config) -> None:
    """A runner that is killed leaves no pytest behind; workers end with their controller."""
    if hasattr(config, "workerinput"):
        return
    # Killed before this line, it is nobody's parent any more: asking who is would tie us to init.
    if not tie_to_parent(config.option.matrix_runner, signal.SIGTERM):
        pytest.exit("the runner that started this is gone", returncode=2)


@pytest.hookimpl
def pytest_matrix_label(result: Result) -> Result:
    return label(result)
