"""The commits of a pull request, fetched into a clone from where it was cloned.

GitHub keeps a pull request's last commit and its merge with the base branch as refs. What is run is
that merge, as long as it is of the commit that is meant; else (there is a conflict, or it is older)
the commit itself, compared with where it left the base branch. A merge that somebody says was run
is believed if merging the same two commits again makes the same tree.
"""

from datetime import datetime
from pathlib import Path

from harness.errors import RevisionError
from runner.core.pull.events import Pull
from runner.core.pull.report import Commits
from runner.revisions.commits import git

_OURS = "refs/export-matrix"


def pull_commits(checkout: Path, pull: Pull, *, ran: str | None = None) -> Commits:
    """The commits to run; `RevisionError` if the pull request's head is another by now.

    `ran`: what is said to have been run, while the base branch may have moved on.
    """
    mine = f"{_OURS}/pull/{pull.number}"
    remote = f"refs/pull/{pull.number}"
    git(checkout, "fetch", "--quiet", "origin", f"+{remote}/head:{mine}/head")
    fetch_branch(checkout, pull.base_branch)
    head = git(checkout, "rev-parse", "--verify", f"{mine}/head^{{commit}}").strip()
    if head != pull.head:
        raise RevisionError(f"the head is {head[:12]} by now, and not {pull.head[:12]}")
    branch = f"{_OURS}/heads/{pull.base_branch}"
    if ran is None:
        merged = _merged(checkout, mine, remote, head)
    else:
        merged = _proven(checkout, ran, head, branch) if ran != head else None
    run, base = merged or (head, git(checkout, "merge-base", head, branch).strip())
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


def _proven(checkout: Path, merge: str, head: str, branch: str) -> tuple[str, str]:
    """The merge and its base; `RevisionError` if it is not just that."""
    git(checkout, "fetch", "--quiet", "origin", merge)
    parents = git(checkout, "rev-list", "--parents", "--max-count=1", merge).split()
    if len(parents) != 3 or parents[2] != head:
        raise RevisionError(f"{merge[:12]} is no merge of {head[:12]}")
    base = parents[1]
    git(checkout, "merge-base", "--is-ancestor", base, branch)
    again = git(checkout, "merge-tree", "--write-tree", base, head).split()[0]
    if git(checkout, "rev-parse", f"{merge}^{{tree}}").strip() != again:
        raise RevisionError(f"{merge[:12]} has more in it than {head[:12]} and {base[:12]}")
    return merge, base


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
