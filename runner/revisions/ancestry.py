"""Where a commit comes from: its merge base with the main branch, and what lies before that."""

from pathlib import Path

from harness.errors import RevisionError
from runner.core.baseline import Ancestry
from runner.revisions.commits import commit, git

#: where the main branch is looked for: as a clone has it, then as a branch of its own
MAIN = ("origin/HEAD", "origin/main", "main")
_SHORT = 12
_FAR = 500


def ancestry(checkout: Path, name: str, *, onto: str | None = None) -> Ancestry:
    """Of the commit of that name, which is left out itself; `RevisionError` if it is not there."""
    sha = commit(checkout, name)
    main = onto or _main(checkout)
    base = git(checkout, "merge-base", sha, commit(checkout, main)).strip()
    line = git(checkout, "rev-list", "--first-parent", f"--max-count={_FAR}", base).split()
    names = [each[:_SHORT] for each in line if each != sha]
    return Ancestry(onto=main, names=names, itself=base == sha)


def _main(checkout: Path) -> str:
    for name in MAIN:
        try:
            commit(checkout, name)
        except RevisionError:
            continue
        return name
    raise RevisionError(f"{checkout} has no main branch ({', '.join(MAIN)}); name it with --onto")
