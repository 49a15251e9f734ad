"""The commits of a pull request, fetched into a clone from where it was cloned.

GitHub keeps a pull request's last commit and its merge with the base branch as refs. What is run is
that merge, as long as it is of the commit that is meant; else (there is a conflict, or it is older)
the commit itself, compared with where it left the base branch.
"""

from datetime import datetime
from pathlib import Path

from harness.errors import RevisionError
from runner.core.pull.events import Pull
from runner.core.pull.report import Commits
from runner.revisions.commits import git

_OURS = "refs/export-matrix"


def pull_commits(checkout: Path, pull: Pull) -> Commits:
    """The commits to run; `RevisionError` if the pull request's head is another by now."""
    mine = f"{_OURS}/pull/{pull.number}"
    remote = f"refs/pull/{pull.number}"
    git(checkout, "fetch", "--quiet", "origin", f"+{remote}/head:{mine}/head")
    fetch_branch(checkout, pull.base_branch)
    head = git(checkout, "rev-parse", "--verify", f"{mine}/head^{{commit}}").strip()
    if head != pull.head:
        raise RevisionError(f"the head is {head[:12]} by now, and not {pull.head[:12]}")
    run, base = _merged(checkout, mine, remote, head) or (
        head,
        git(checkout, "merge-base", head, f"{_OURS}/heads/{pull.base_branch}").strip(),
    )
    return Commits(run=run, head=head, base=base, base_branch=pull.base_branch)


def fetch_branch(checkout: Path, branch: str) -> None:
    """Have the base branch as it is now."""
    git(
        checkout,
        *("fetch", "--quiet", "origin", f"+refs/heads/{branch}:{_OURS}/heads/{branch}"),
    )


def committed_at(checkout: Path, sha: str) -> datetime:
    """Of a merge, when GitHub made it."""
    told = git(checkout, "show", "--no-patch", "--format=%cI", "--end-of-options", sha)
    return datetime.fromisoformat(told.strip())


def _merged(checkout: Path, mine: str, remote: str, head: str) -> tuple[str, str] | None:
    """The merge and its base, if there is one of that head."""
    try:
        git(checkout, "fetch", "--quiet", "origin", f"+{remote}/merge:{mine}/merge")
        merge, base, *others = git(
            checkout, "rev-list", "--parents", "--max-count=1", f"{mine}/merge"
        ).split()
    except (RevisionError, ValueError):
        return None
    return (merge, base) if others == [head] else None
