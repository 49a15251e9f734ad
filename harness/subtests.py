"""A pytest plugin that has JUnit XML name subtests, which pytest itself leaves out.

`pytest -p harness.subtests --junitxml FILE …`: each test case tells its subtests as properties,
`subtest` = `[LlamaModel/model] passed`, in the order in which they ended; those that failed are in
the order of its failures. Transformers' own export tests name the model class nowhere else.
"""

from collections import defaultdict

import pytest

PROPERTY = "subtest"


class Named:
    """Gathers the subtests of each test, and tells them with its last report."""

    def __init__(self) -> None:
        self._told: dict[str, list[str]] = defaultdict(list)

    @pytest.hookimpl(tryfirst=True)  # before the XML is written
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if isinstance(report, pytest.SubtestReport):
            self._told[report.nodeid].append(f"[{report.context.msg}] {report.outcome}")
        elif report.when == "teardown":
            told = self._told.pop(report.nodeid, [])
            report.user_properties += [(PROPERTY, each) for each in told]


def pytest_configure(config: pytest.Config) -> None:
    # With pytest-xdist, the controller is told of all subtests, and writes the file.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Named(), "export-matrix-subtests")
