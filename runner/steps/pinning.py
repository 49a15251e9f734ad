"""Pins the revision that a night is of: a branch may move while its stacks are run."""

from dataclasses import dataclass
from pathlib import Path

from runner.revisions import resolve
from runner.revisions.commits import branch_named, commit
from runner.revisions.newest import NEWEST, bring_up_to_date, newest_release


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A revision that does not move."""

    #: as `run --revision` takes it
    text: str
    #: as results call it
    name: str
    #: the clone that it is a commit of
    checkout: Path | None = None
    #: and of which branch
    branch: str | None = None
    #: why the clone may lag behind its remotes
    stale: str | None = None


def pin(text: str, *, fetch: bool, cache: Path) -> Pinned:
    """The newest release, what is installed, a release, or the commit that a branch is at now."""
    if text == NEWEST:
        release = newest_release()
        return Pinned(text=release, name=release)
    folder, mark, reference = text.partition("@")
    if not mark and "/" not in text:
        found = resolve(text, cache=cache)
        return Pinned(text=found.name, name=found.name)
    checkout = Path(folder).resolve()
    stale = bring_up_to_date(checkout) if fetch and checkout.is_dir() else None
    sha = commit(checkout, reference)
    return Pinned(
        text=f"{checkout}@{sha}",
        name=sha[:12],
        checkout=checkout,
        branch=branch_named(checkout, reference),
        stale=stale,
    )
