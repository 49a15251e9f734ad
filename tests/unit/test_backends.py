"""Which backends there are, told without loading what a distribution brings. No torch."""

import sys
from pathlib import Path

import pytest

from harness.backends import backend_names, load_backend, missing
from harness.errors import SelectionError
from harness.stack import stack

DISTRIBUTION = """\
Metadata-Version: 2.1
Name: mine-exporter
Version: 1.2
Requires-Dist: pytest
Requires-Dist: no-such-package>=2
Requires-Dist: no-such-extra; extra == "more"
"""


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution on the path, whose entry point `mine` names the module `mine_exporter`."""
    info = tmp_path / "mine_exporter-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(DISTRIBUTION)
    (info / "entry_points.txt").write_text("[export_matrix.backends]\nmine = mine_exporter\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_distributions_backend_is_known_without_importing_its_module(brought: Path) -> None:
    (brought / "mine_exporter.py").write_text("raise AssertionError('imported')\n")
    assert "mine" in backend_names()
    assert missing("mine") == "pip install no-such-package"
    assert stack()["mine-exporter"] == "1.2"
    assert "mine_exporter" not in sys.modules


def test_a_module_that_can_not_be_loaded_is_named_with_its_error(brought: Path) -> None:
    (brought / "mine_exporter.py").write_text("raise ValueError('broken')\n")
    with pytest.raises(SelectionError, match=r"'mine'.*'mine_exporter'.*ValueError: broken"):
        load_backend("mine")


def test_an_entry_point_may_make_a_backend_of_our_own_protocol(brought: Path) -> None:
    info = next(brought.glob("*.dist-info"))
    (info / "entry_points.txt").write_text(
        "[export_matrix.backends]\nmine = tests.toyzoo.backend:ToyBackend\n"
    )
    assert load_backend("mine").name == "toy"


def test_a_built_in_name_stays_built_in(brought: Path) -> None:
    info = next(brought.glob("*.dist-info"))
    (info / "entry_points.txt").write_text("[export_matrix.backends]\nonnx = mine_exporter\n")
    assert type(load_backend("onnx")).__module__ == "harness.backends.onnx"
    assert backend_names().count("onnx") == 1


def test_an_unknown_backend_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SelectionError, match="did you mean 'onnx'"):
        missing("onx")
