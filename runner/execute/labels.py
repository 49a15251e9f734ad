"""The pytest plugin that labels a result before it is written: kind, signature and title."""

import pytest

from harness.results import Result
from runner.core.label import label


@pytest.hookimpl
def pytest_matrix_label(result: Result) -> Result:
    return label(result)
