"""A merge that somebody says was run: real git, small repositories."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import RevisionError
from runner.core.pull.events import Pull
from runner.revisions.pulls import pull_commits
from tests.fakegithub import merge_refs
from tests.unit.test_revisions_commits import git


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A repository with `main` and a branch of it, and a clone beside it."""
    made = tmp_path / "remote"
    git(tmp_path, "init", "-q", "-b", "main", str(made))
    git(made, "config", "uploadpack.allowAnySHA1InWant", "true")
    _commit(made, "a", "one")
    git(made, "checkout", "-q", "-b", "topic")
    _commit(made, "b", "two")
    git(made, "checkout", "-q", "main")
    git(tmp_path, "clone", "-q", str(made), str(tmp_path / "clone"))
    return made


def _commit(where: Path, name: str, text: str) -> str:
    (where / name).write_text(text)
    git(where, "add", ".")
    git(where, "commit", "-q", "-m", text)
    return git(where, "rev-parse", "HEAD")


def _pull(remote: Path) -> Pull:
    return Pull(
        repository="o/r",
        number=7,
        head=git(remote, "rev-parse", "topic"),
        base=git(remote, "rev-parse", "main"),
        base_branch="main",
        open=True,
        updated_at=datetime.now(UTC),
    )


def test_a_merge_is_still_believed_when_the_base_branch_has_moved_on(remote: Path) -> None:
    pull = _pull(remote)
    ran = merge_refs(remote, 7, pull.head, pull.base)
    moved = _commit(remote, "c", "three")
    merge_refs(remote, 7, pull.head, moved)
    told = pull_commits(remote.parent / "clone", pull, ran=ran)
    assert (told.run, told.base) == (ran, pull.base)


def test_a_merge_that_holds_more_than_the_two_is_refused(remote: Path) -> None:
    pull = _pull(remote)
    merge_refs(remote, 7, pull.head, pull.base)
    git(remote, "checkout", "-q", "--detach", "main")
    git(remote, "merge", "-q", "--no-ff", "--no-commit", "topic")
    (remote / "more").write_text("hidden")
    git(remote, "add", ".")
    git(remote, "commit", "-q", "-m", "evil")
    evil = git(remote, "rev-parse", "HEAD")
    with pytest.raises(RevisionError, match="has more in it than"):
        pull_commits(remote.parent / "clone", pull, ran=evil)


def test_a_merge_of_another_branch_is_refused(remote: Path) -> None:
    pull = _pull(remote)
    merge_refs(remote, 7, pull.head, pull.base)
    with pytest.raises(RevisionError, match="is no merge of"):
        pull_commits(remote.parent / "clone", pull, ran=pull.base)
