"""Which private folders are cleared up: those whose owner is gone, and no others."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.isolation.guard import MARK, clear, clear_abandoned, private_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_left_alone_for_as_long_as_its_owner_holds_it() -> None:
    folder, lock = private_folder()
    clear_abandoned()
    assert folder.exists()
    os.close(lock)
    clear_abandoned()
    assert not folder.exists()


def test_a_folder_whose_owner_died_before_it_was_owned_is_cleared_up(temporary: Path) -> None:
    folder, lock = private_folder()
    os.close(lock)
    (folder / "owner").unlink()
    clear_abandoned()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_no_host_made_is_left_alone(temporary: Path) -> None:
    strange = temporary / "export-matrix-notes"
    strange.mkdir()
    (temporary / "export-matrix-host-log").touch()
    clear_abandoned()
    assert strange.exists()


def test_a_link_that_somebody_laid_out_is_not_followed(temporary: Path) -> None:
    home = temporary / "home"
    home.mkdir()
    (home / "owner").touch()
    (temporary / "export-matrix-host-trap").symlink_to(home)
    clear_abandoned()
    assert (home / "owner").exists()


def test_clearing_up_kills_what_carries_the_folders_name_and_nothing_else() -> None:
    (ours, lock), (other, other_lock) = private_folder(), private_folder()
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    inside = subprocess.Popen(sleep, env={MARK: str(ours)}, start_new_session=True)
    beside = subprocess.Popen(sleep, env={MARK: str(other)})
    clear(ours)
    assert inside.wait(10) < 0
    assert beside.poll() is None
    clear(other)
    beside.wait(10)
    os.close(lock)
    os.close(other_lock)
