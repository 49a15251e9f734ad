"""The merge base of a commit, and what lies before that, as git tells it."""

from pathlib import Path

import pytest

from harness.errors import RevisionError
from runner.revisions.ancestry import ancestry
from tests.unit.test_revisions_commits import git


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """main: 0, 1, 2, a merge of `side`, 3; branch `work` from 2."""
    git(tmp_path, "init", "-q", "-b", "main", ".")

    def commit(name: str) -> None:
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", name)
        git(tmp_path, "tag", f"c{name}")

    for name in "01":
        commit(name)
    git(tmp_path, "switch", "-q", "-c", "side")
    commit("s")
    git(tmp_path, "switch", "-q", "main")
    commit("2")
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "merge", "side")
    git(tmp_path, "tag", "merged")
    git(tmp_path, "switch", "-q", "-c", "work")
    commit("w")
    git(tmp_path, "switch", "-q", "main")
    commit("3")
    return tmp_path


def _names(checkout: Path, *tags: str) -> list[str]:
    return [git(checkout, "rev-parse", f"{tag}^{{commit}}")[:12] for tag in tags]


def test_a_branch_comes_from_its_merge_base_along_first_parents(checkout: Path) -> None:
    found = ancestry(checkout, "cw")
    assert found.onto == "main"
    assert found.names == _names(checkout, "merged", "c2", "c1", "c0")


def test_a_commit_of_main_comes_from_those_before_it(checkout: Path) -> None:
    assert ancestry(checkout, "c2").names == _names(checkout, "c1", "c0")


def test_the_branch_that_is_named_counts(checkout: Path) -> None:
    assert ancestry(checkout, "c3", onto="side").names == _names(checkout, "cs", "c1", "c0")


def test_a_clone_without_a_main_branch_says_how_to_name_it(checkout: Path) -> None:
    git(checkout, "branch", "-m", "main", "trunk")
    with pytest.raises(RevisionError, match="--onto"):
        ancestry(checkout, "cw")
