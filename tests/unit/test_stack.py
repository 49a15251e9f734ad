"""The versions that decide an outcome."""

import platform
import sys
from pathlib import Path

import pytest

from harness.stack import stack


def test_the_interpreter_and_the_device_are_always_told() -> None:
    versions = stack(device="cpu")
    assert (versions["python"], versions["device"]) == (platform.python_version(), "cpu")


def test_a_revision_that_comes_first_on_the_path_is_the_one_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "transformers"
    package.mkdir()
    (package / "__init__.py").write_text('__version__ = "9.8.7.dev0"\n', encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    assert stack()["transformers"] == "9.8.7.dev0"
