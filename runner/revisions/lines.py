"""The revisions from a good one to a bad one, in order: commits of one clone, or releases."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from harness.errors import RevisionError
from runner.revisions.commits import between, commit, log_line
from runner.revisions.requirements import Pip, run_pip

_SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Revisions in order, the oldest first."""

    #: as results call them
    names: tuple[str, ...]
    #: what `resolve` takes for a name
    spelled: Callable[[str], str]
    #: how a name is told: a commit's log line, a release's number
    told: Callable[[str], str]


def line(good: str, bad: str, *, pip: Pip = run_pip) -> Line:
    """The line between two revisions; `RevisionError` if none leads from one to the other."""
    if "@" in good and "@" in bad:
        return _commits(good, bad)
    if _version(good) and _version(bad):
        return _releases(good, bad, pip)
    raise RevisionError(
        f"{good!r} and {bad!r} are no two releases, such as 5.20.0 and 5.23.0, and no two commits "
        "of one clone, such as path/to/transformers@abc1234 and path/to/transformers@main"
    )


def _commits(good: str, bad: str) -> Line:
    folder, _, first = good.partition("@")
    other, _, last = bad.partition("@")
    checkout = Path(folder)
    if checkout.resolve() != Path(other).resolve():
        raise RevisionError(f"{folder} and {other} are two clones; name two commits of one")
    ids = between(checkout, commit(checkout, first), commit(checkout, last))
    full = {sha[:_SHORT]: sha for sha in ids}
    return Line(
        names=tuple(full),
        spelled=lambda name: f"{folder}@{full[name]}",
        told=lambda name: log_line(checkout, full[name]),
    )


def _releases(good: str, bad: str, pip: Pip) -> Line:
    code, said = pip(["index", "versions", "transformers"])
    found = re.search(r"Available versions: (.+)", said)
    if code or not found:
        raise RevisionError("can't list the releases of transformers: pip index said nothing of it")
    first, last = Version(good), Version(bad)
    if first >= last:
        raise RevisionError(f"{good} is no earlier release than {bad}; exchange them")
    known = {Version(each.strip()) for each in found[1].split(",")} | {first, last}
    names = [str(each) for each in sorted(known) if first <= each <= last]
    return Line(names=tuple(names), spelled=str, told=lambda name: f"transformers {name}")


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
