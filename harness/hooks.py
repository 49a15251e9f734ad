"""Hooks that this project's pytest plugin adds."""

import pytest

from harness.results import Result


@pytest.hookspec(firstresult=True)
def pytest_matrix_label(result: Result) -> Result | None:
    """Give a result its kind, signature and title before the controller writes it."""
