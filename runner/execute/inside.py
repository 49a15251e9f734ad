"""The pytest plugin inside a shard: labels results as they come, and ends when the runner ends."""

import os
import signal

import pytest

from harness.isolation.processes import tie_to_parent
from harness.results import Result
from runner.core.label import label


def pytest_configure(config: pytest.Config) -> None:
    """A runner that is killed leaves no pytest behind; workers end with their controller."""
    if not hasattr(config, "workerinput"):
        tie_to_parent(os.getppid(), signal.SIGTERM)


@pytest.hookimpl
def pytest_matrix_label(result: Result) -> Result:
    return label(result)
