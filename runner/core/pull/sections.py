"""The sections of a report: every class of changes, counted, its cells by what they fail with.

What the pull request did not bring (flaky, broken on the base too, changed with the stack, known)
stands apart from the changes, and never hides: each has its section and its count.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from runner.core.change import Change
from runner.core.confirm import Confirmed
from runner.core.diff import CellChange, Diff
from runner.core.owner import Owner
from runner.core.runs import Verdict
from runner.core.triage import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that changed alike and fail alike."""

    signature: str | None = None
    title: str | None = None
    owner: Owner | None = None
    #: what people said of it
    said: Said | None = None
    cells: tuple[CellChange, ...]

    @property
    def by_model(self) -> dict[str, list[CellChange]]:
        models: dict[str, list[CellChange]] = {}
        for item in self.cells:
            models.setdefault(item.cell.model_type, []).append(item)
        return models


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One class of changes, counted."""

    #: what scripts know it by
    name: str
    #: in words, after the count
    title: str
    count: int
    groups: tuple[Group, ...] = ()
    #: a reader has to look at it
    open: bool = False
    #: what its cells failed with can be reproduced
    fails: bool = False

    @property
    def muted(self) -> int:
        """How many of its cells are in muted groups."""
        return sum(len(group.cells) for group in self.groups if group.said and group.said.muted)

    @property
    def heading(self) -> str:
        """`12 new failed exports from this PR, 3 of them in muted groups`."""
        muted = f", {self.muted:,} of them in muted groups" if self.muted else ""
        return f"{self.count:,} {self.title}{muted}"


#: change -> title, whether a reader has to look at it, whether there is a failure to reproduce
_SECTIONS = {
    Change.REGRESSED: ("new failed exports from this PR", True, True),
    Change.NEWLY_SKIPPED: ("newly skipped", True, False),
    Change.REMOVED: ("removed", True, False),
    Change.UNKNOWN: ("unknown", True, False),
    Change.SUSPECT: ("suspect: timeout, oom, crash or flaky", True, True),
    Change.FAILS_DIFFERENTLY: ("different error", False, True),
    Change.FIXED: ("fixed", False, False),
    Change.UNSKIPPED: ("no longer skipped", False, False),
    Change.ADDED: ("added", False, False),
}
_NOT_RUN = "not run: no result of this PR"


def sections(found: Diff) -> Iterator[Section]:
    """All sections that have a cell, in the order in which they are told."""
    for change, (title, opened, fails) in _SECTIONS.items():
        yield from _section(
            Section(name=change, title=title, count=0, open=opened, fails=fails),
            _groups(found, change),
            found.said,
        )
        if change is Change.UNKNOWN:
            unheard = Section(name="not-run", title=_NOT_RUN, count=0, open=True)
            yield from _section(unheard, _in_one(found, _not_run), found.said)
    for name, title, holds in _APART:
        aside = Section(name=name, title=title, count=0, fails=name != "known")
        there = _alike(item for item in found.cells if holds(item))
        yield from _section(aside, there, found.said)


def _section(
    empty: Section, groups: Iterable[Group], said: Mapping[str, Said]
) -> Iterator[Section]:
    """The section of these groups, if there are any, with what people said of them."""
    made = tuple(replace(group, said=said.get(group.signature or "")) for group in groups)
    if made:
        yield replace(empty, groups=made, count=sum(len(group.cells) for group in made))


def _groups(found: Diff, change: Change) -> Iterator[Group]:
    for each in found.groups:
        cells = tuple(item for item in each.cells if not _not_run(item) and not _is_flaky(item))
        if each.change is change and cells:
            yield Group(signature=each.signature, title=each.title, owner=each.owner, cells=cells)


def _in_one(found: Diff, holds: Callable[[CellChange], bool]) -> Iterator[Group]:
    cells = tuple(filter(holds, found.cells))
    if cells:
        yield Group(cells=cells)


def _alike(cells: Iterable[CellChange]) -> list[Group]:
    """Cells by what they fail with, or by the known failure that excuses them."""
    groups: dict[tuple[str | None, str | None], list[CellChange]] = {}
    for item in cells:
        groups.setdefault(_cause(item), []).append(item)
    made = [
        Group(signature=signature, title=title, cells=tuple(members))
        for (signature, title), members in groups.items()
    ]
    return sorted(made, key=lambda group: -len(group.cells))


def _cause(item: CellChange) -> tuple[str | None, str | None]:
    """Signature and title; the reason of the known failure that excuses it."""
    if item.excused and item.known:
        return None, item.known.row.reason
    return (item.group.signature, item.group.title) if item.group else (None, None)


def _not_run(item: CellChange) -> bool:
    """Whether the head lacks its result."""
    return item.after is not None and item.after.verdict is Verdict.MISSING


def _came_to(item: CellChange, outcome: Confirmed) -> bool:
    return item.confirmation is not None and item.confirmation.outcome is outcome


def _is_flaky(item: CellChange) -> bool:
    """By itself, or when it was executed again."""
    sides = (item.before, item.after)
    itself = item.change is Change.SUSPECT and any(
        side is not None and side.verdict is Verdict.FLAKY for side in sides
    )
    return not item.excused and (_came_to(item, Confirmed.FLAKY) or itself)


def _broken_too(item: CellChange) -> bool:
    """Fails on both sides in the same way, and nobody said that it would."""
    again = _came_to(item, Confirmed.BROKEN_ON_BASELINE_TOO)
    return not item.excused and (item.change is Change.STILL_FAILING or again)


#: sections of what the pull request didn't bring: name, title, and what belongs there
_APART: tuple[tuple[str, str, Callable[[CellChange], bool]], ...] = (
    ("flaky", "flaky", _is_flaky),
    ("broken-on-main-too", "broken on main too", _broken_too),
    (
        "stack-changed",
        "changed with the versions of other packages",
        lambda item: not item.excused and _came_to(item, Confirmed.STACK_CHANGED),
    ),
    (
        "known",
        "known failures, as expected",
        lambda item: item.change.told and item.excused,
    ),
)
