"""Revisions: which Transformers is under test.

`installed` is what the stack has. A release is fetched with pip, without its dependencies; a commit
is taken out of a git checkout, `path/to/transformers@main`. Either lies in a folder of its own,
which comes first on the path of that run's processes alone.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import InvalidVersion, Version

from harness.errors import RevisionError
from runner.revisions.commits import branch_named, commit, extract
from runner.revisions.releases import fetch
from runner.revisions.requirements import Pip, run_pip

INSTALLED = "installed"
_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A Transformers to test."""

    #: what it is called in results: the version, or the first twelve digits of the commit
    name: str
    #: folder to put first on the path; None for what is installed
    path: Path | None = None
    #: the branch that it was named by
    branch: str | None = None


def resolve(text: str, *, cache: Path, pip: Pip = run_pip) -> Revision:
    """The revision that is meant; releases are kept unpacked in `cache`.

    `RevisionError` if there is none, or if this stack can't run it.
    """
    try:
        installed = version("transformers")
    except PackageNotFoundError:
        raise RevisionError(
            "Transformers is not installed here; what runs cells comes with: "
            "pip install 'export-matrix[exporters]'"
        ) from None
    if text in (INSTALLED, installed):
        return Revision(name=installed)
    folder, _, reference = text.partition("@")
    if "@" in text or "/" in text:
        sha = commit(Path(folder), reference)
        home = extract(Path(folder), sha, cache=cache, pip=pip)
        branch = branch_named(Path(folder), reference)
        return Revision(name=sha[:_SHORT], path=home / "src", branch=branch)
    try:
        Version(text)
    except InvalidVersion:
        raise RevisionError(
            f"{text!r} is no revision; use `installed`, a release such as 5.22.2, or a commit of "
            "a checkout such as path/to/transformers@main"
        ) from None
    return Revision(name=text, path=fetch(text, cache=cache, pip=pip))


def only_read(checkout: Path, sha: str, *, cache: Path) -> Revision:
    """The sources of a commit that nobody has looked at: nothing it requires is installed."""
    return Revision(
        name=sha[:_SHORT], path=extract(checkout, sha, cache=cache / "read", pip=None) / "src"
    )
