"""Revisions: which Transformers is under test.

`installed` is what the stack has. A release is fetched with pip, without its dependencies, and
unpacked into a folder of its own, which comes first on the path of that run's processes alone.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.version import InvalidVersion, Version

from harness.errors import RevisionError
from runner.revisions.releases import Pip, fetch, run_pip

INSTALLED = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A Transformers to test."""

    #: what it is called in results: the version
    name: str
    #: folder to put first on the path; None for what is installed
    path: Path | None = None


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
    if "@" in text or "/" in text:
        raise RevisionError(
            f"{text!r} looks like a git checkout, which can't be run yet; "
            "use `installed` or a release such as 5.22.2"
        )
    try:
        Version(text)
    except InvalidVersion:
        raise RevisionError(
            f"{text!r} is no revision; use `installed` or a release such as 5.22.2"
        ) from None
    return Revision(name=text, path=fetch(text, cache=cache, pip=pip))
