"""A night: one pass over the matrix per stack, day and revision, and what is told of it.

Its run's unique name says all three, so that whoever starts the same night again, wherever, finds
its run: `nightly--STACK--2026-11-25--5.23.0`.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Self

from harness.errors import SelectionError
from runner.core.change import Change
from runner.core.diff import Diff
from runner.core.pull.quoting import one_line
from runner.core.render import TITLES, headline
from runner.core.report.told import Report, State
from runner.core.runs import Run

#: the stack that the command itself runs on
HERE = "here"
_STACK = re.compile(r"[a-z0-9][a-z0-9._]*(?:-[a-z0-9._]+)*")
_MARK = "nightly"
_BETWEEN = "--"


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Which pass."""

    #: what the stack is called here, `torch-nightly`
    stack: str
    day: date
    #: as results call it
    revision: str

    @property
    def uid(self) -> str:
        """The unique name of its run."""
        return _BETWEEN.join((_MARK, self.stack, self.day.isoformat(), self.revision))

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """The night that a run is of; None if it is of none."""
        parts = run.uid.split(_BETWEEN, 3)
        if len(parts) != 4 or parts[0] != _MARK:
            return None
        with suppress(ValueError):  # who uploads names a run as they like
            return cls(stack=parts[1], day=date.fromisoformat(parts[2]), revision=parts[3])
        return None


def stack_named(text: str) -> str:
    """A name for a stack; `SelectionError` says how one looks."""
    if not _STACK.fullmatch(text):
        raise SelectionError(
            f"{text!r} is no name for a stack: lower-case letters, digits, dots and single dashes"
        )
    return text


def uid_prefix(stack: str | None = None) -> str:
    """What the names of all nights' runs begin with, or of those of a stack."""
    return _BETWEEN.join((_MARK, *([stack] if stack else []), ""))


def last_complete(head: Run, nights: Iterable[Run]) -> Run | None:
    """The baseline of a night: the newest complete one before it, of the same selection if any.

    One of another branch tells nothing; of a night of before branches were noted nobody knows.
    """
    fit = [run for run in nights if run.id < head.id and run.complete]
    fit = [run for run in fit if run.branch in (head.branch, None)]
    fit = [run for run in fit if run.branch == head.branch] or fit
    same = [run for run in fit if run.selection == head.selection]
    return max(same or fit, key=lambda run: run.id, default=None)


def beside_line(stack: str, found: Diff) -> str:
    """`beside the stack here (torch 2.13 ⟹ 2.14): ✅ no export lost; 3 fixed`."""
    versions = [
        f"{name} {before or 'none'} ⟹ {after or 'none'}"
        for name, (before, after) in found.stack_changes.items()
    ]
    told = [headline(found)]
    gained = (Change.FIXED, Change.UNSKIPPED, Change.FAILS_DIFFERENTLY)
    told += [f"{found.counts[each]:,} {TITLES[each]}" for each in gained if found.counts.get(each)]
    return f"beside the stack {stack} ({', '.join(versions) or 'the same'}): {'; '.join(told)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a night."""

    night: Night
    state: State
    headline: str
    summary: str = ""
    #: number of its run, where there is one
    run: int | None = None
    #: why there is none, or what it lacks
    problems: tuple[str, ...] = ()
    #: sections of its report: count and title
    sections: tuple[tuple[int, str], ...] = ()
    #: who could not be told, and why
    untold: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.state is not State.INCOMPLETE

    @property
    def subject(self) -> str:
        """In one line."""
        return one_line(f"{self.night.stack} · {self.night.revision}: {self.headline}")


def told_of(night: Night, found: Report) -> Told:
    return Told(
        night=night,
        state=found.state,
        headline=found.headline,
        summary=found.summary,
        run=found.run.id,
        problems=found.lacking,
        sections=tuple((each.count, each.told) for each in found.sections),
    )


def in_vain(night: Night, why: str) -> Told:
    """A night of which there is no run."""
    return Told(
        night=night,
        state=State.INCOMPLETE,
        headline="⚠️ incomplete: nothing was run",
        problems=(why,),
    )


def slack_text(told: Told, *, root: str) -> str:
    """A message in Slack's own markup, in which three signs mean something, and `@` in others'."""
    lines = [f"*{_slack(told.subject)}*"]
    if told.summary:
        lines.append(_slack(told.summary))
    lines += [f"⚠️ {_slack(one_line(each))}" for each in told.problems]
    lines += [f"• {count:,} {_slack(one_line(title))}" for count, title in told.sections]
    if told.run is not None:
        lines.append(f"<{root}/runs/{told.run}/report|The report>")
    return "\n".join(lines)


def _slack(text: str) -> str:
    written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Mattermost calls everybody of a channel by `@channel`, whoever writes it.
    return written.replace("@", "@\u200b")
