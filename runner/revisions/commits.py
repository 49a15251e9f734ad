"""Takes a commit out of a git checkout of Transformers: its sources and its tests.

- The checkout is only read: `git archive` writes the commit's files into a folder of their own,
  named by the commit, so that whatever happens in the checkout meanwhile doesn't matter.
- Without a commit, the one that is checked out is meant; then the tree must be clean, since a run
  must name what it ran. A shallow checkout is refused: it knows no history to compare with.
- What the commit requires is read from its own `setup.py`; see `requirements`.
"""

import ast
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from harness.errors import RevisionError
from runner.revisions.keeping import spare, use
from runner.revisions.requirements import Pip, complete

#: what of the repository is taken; its tests import from `utils`. Of `src`, which comes first on a
#: path, the package alone: a module beside it could be any that Python imports when it starts.
_PARTS = ("src/transformers", "tests", "utils", "setup.py")
_EXPORTERS = "src/transformers/exporters/__init__.py"
_VERSIONS = "src/transformers/dependency_versions_table.py"


def commit(checkout: Path, reference: str) -> str:
    """The full id of the commit that is meant; an empty reference means what is checked out."""
    if not checkout.is_dir():
        raise RevisionError(f"{str(checkout)!r} is no folder; name a checkout of Transformers")
    if git(checkout, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise RevisionError(
            f"{checkout} is a shallow checkout; complete it with: git -C {checkout} fetch "
            "--unshallow"
        )
    if not reference and _dirty(checkout):
        raise RevisionError(
            f"{checkout} has changes that are not committed; commit or stash them, or name a "
            f"commit: {checkout}@HEAD"
        )
    asked = f"{reference or 'HEAD'}^{{commit}}"
    try:
        return git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", asked).strip()
    except RevisionError:
        raise RevisionError(f"{checkout} has no commit or branch {reference!r}") from None


def branch_named(checkout: Path, reference: str) -> str | None:
    """The branch that a reference names, without its remote; None if it names none."""
    asked = ("rev-parse", "--verify", "--quiet", "--symbolic-full-name", "--end-of-options")
    try:
        whole = git(checkout, *asked, reference or "HEAD").strip()
    except RevisionError:
        return None
    match whole.split("/", 3):
        case ["refs", "heads", *parts]:
            return "/".join(parts)
        case ["refs", "remotes", _remote, branch] if branch != "HEAD":
            return branch
        case _:
            return None


def between(checkout: Path, good: str, bad: str) -> list[str]:
    """The commits from one to a later one, oldest first, along first parents.

    `RevisionError` if the first is no ancestor of the second: then no order leads from one to the
    other.
    """
    try:
        git(checkout, "merge-base", "--is-ancestor", good, bad)
    except RevisionError:
        raise RevisionError(
            f"{good[:12]} is no ancestor of {bad[:12]}; begin at their merge base: "
            f"git -C {checkout} merge-base {good[:12]} {bad[:12]}"
        ) from None
    line = git(checkout, "rev-list", "--first-parent", "--reverse", f"{good}..{bad}").split()
    return [good, *line]


def log_line(checkout: Path, sha: str) -> str:
    """The commit as a log tells it: short id, date, author, subject."""
    form = "--format=%h %as %an: %s"
    return git(checkout, "show", "--no-patch", form, "--end-of-options", sha).strip()


def extract(checkout: Path, sha: str, *, cache: Path, pip: Pip | None) -> Path:
    """The folder with the commit's `src` and `tests`, taken out unless it is there.

    Without a pip, nothing that the commit requires is beside them: they can be read, and no more.
    """
    home = cache / "commits" / sha
    use(home)
    if home.is_dir():
        return home
    try:
        git(checkout, "cat-file", "-e", f"{sha}:{_EXPORTERS}")
    except RevisionError:
        raise RevisionError(f"{sha[:12]} has no transformers.exporters: nothing to test") from None
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="draft-") as draft:
        archive, unpacked = Path(draft) / "commit.tar", Path(draft) / "unpacked"
        archived(checkout, sha, _PARTS, into=archive)
        with tarfile.open(archive) as files:
            files.extractall(unpacked, filter="data")
        if pip is not None:
            complete(sha[:12], _requirements(unpacked), folder=unpacked / "src", pip=pip)
        try:
            unpacked.rename(home)
        except OSError:
            # Another process was first, and what it made is the same.
            if not home.is_dir():
                raise
    spare(home.parent)
    return home


def archived(checkout: Path, sha: str, parts: Sequence[str], *, into: Path) -> None:
    """Write parts of a commit into a tar file."""
    git(checkout, "archive", "--format=tar", f"--output={into.resolve()}", sha, *parts)


def _dirty(checkout: Path) -> bool:
    if git(checkout, "rev-parse", "--is-bare-repository").strip() == "true":
        return False
    return bool(git(checkout, "status", "--porcelain", "--", *_PARTS).strip())


def git(checkout: Path, *arguments: str) -> str:
    """What git says of a checkout; `RevisionError` is its last line if it refuses."""
    try:
        done = subprocess.run(  # noqa: S603  (our own command line, no shell)
            ["git", "-C", str(checkout), *arguments],  # noqa: S607  (the user's git)
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise RevisionError("git is not installed; it reads the checkout") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["git said nothing"])[-1]
        raise RevisionError(f"can't read {checkout} with git: {last}")
    return done.stdout


def _requirements(root: Path) -> Iterator[Requirement]:
    """What the commit's `setup.py` installs, each as the commit's own table spells it."""
    spelled = ast.literal_eval(_assigned(root / _VERSIONS, "deps") or ast.Dict([], []))
    for each in ast.walk(_assigned(root / "setup.py", "install_requires") or ast.List([])):
        match each:
            case ast.Constant(value=str(name)) if name in spelled:
                yield Requirement(spelled[name])
            case _:
                pass


def _assigned(file: Path, name: str) -> ast.expr | None:
    """What a module assigns to a name."""
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return value
            case _:
                pass
    return None
