"""What people say of a failure group: which state it may take, when it reopens, what a merge keeps.

1. A group is `new` until somebody says otherwise; any state may follow any, but
2. `upstream` needs the issue, and `known` and `wont-fix` a reason: a note or an issue;
3. a mute ends: on a day, or with the first run of a version. It hides nothing, muted groups are
   counted apart; a day that is past mutes nothing and is refused;
4. a `fixed` group reopens as `new`, unmuted, as soon as a newer run that is complete and in no
   doubt has cells of it; if it was said to be fixed in a version, only a run of that or a later one
   tells. Runs of pull requests tell nothing: they may be of old code;
5. a merge keeps what was said of the group that goes on; where that is silent, what was said of the
   other. Both notes are kept. It is muted only if both were, until the first of both ends.

Who edits says which version of it was seen: `ConflictError` if somebody else was faster.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from packaging.version import InvalidVersion, Version

from harness.errors import TriageError
from runner.core.plain import storable
from runner.core.runs import Run

NOTE_CHARACTERS = 20_000
_PERSON = re.compile(r"[\w.@+/-]{1,100}")
_ISSUE = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20\x7f]{4,500}")
_SHORT_ISSUE = re.compile(r"([\w.-]+/[\w.-]+)#(\d{1,9})")


class State(StrEnum):
    """How a failure group stands with people."""

    NEW = "new"
    INVESTIGATING = "investigating"
    UPSTREAM = "upstream"
    KNOWN = "known"
    FIXED = "fixed"
    WONT_FIX = "wont-fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """What was said of a group."""

    state: State = State.NEW
    assignee: str | None = None
    #: URL of the upstream issue
    issue: str | None = None
    #: Markdown
    note: str = ""
    #: `2026-12-24`, or a version of Transformers, `5.25.0`
    muted_until: str | None = None
    #: the version that is said to have the fix
    fixed_in: str | None = None
    #: the newest run when it was called fixed
    fixed_run: int | None = None
    #: the run that it came back in, after it was fixed
    returned_run: int | None = None
    #: how often it was changed
    version: int = 0
    changed_at: datetime | None = None
    changed_by: str | None = None


UNTOUCHED = Triage()
_BOOKKEEPING = ("version", "changed_at", "changed_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What somebody typed; None leaves a field as it is, the empty text clears it."""

    state: str | None = None
    assignee: str | None = None
    issue: str | None = None
    note: str | None = None
    muted_until: str | None = None
    fixed_in: str | None = None

    @property
    def empty(self) -> bool:
        return all(getattr(self, each.name) is None for each in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When an edit is made, and by whom."""

    who: str
    today: date
    #: number of the newest run
    newest_run: int | None = None


def edited(before: Triage, edit: Edit, moment: Moment) -> Triage:
    """The triage after an edit; `TriageError` says what is missing or can't be read."""
    typed = {each.name: _typed(getattr(edit, each.name)) for each in fields(edit)}
    after = before
    for name, value in typed.items():
        if value is not None:
            read: dict[str, Any] = {name: _READ[name](value, moment)}
            after = replace(after, **read)
    if after.muted_until != before.muted_until:
        _check_mute(after.muted_until, moment.today)
    if after.state is not State.FIXED:
        after = replace(after, fixed_in=None, fixed_run=None)
    elif before.state is not State.FIXED or after.fixed_in != before.fixed_in:
        after = replace(after, fixed_run=moment.newest_run)
    if after.state is not before.state:
        after = replace(after, returned_run=None)
    _check_reasons(after)
    return after


def _typed(value: str | None) -> str | None:
    """Without what no database or terminal takes, and without Windows' ends of lines."""
    if value is None:
        return None
    return storable(value.replace("\r\n", "\n").replace("\0", "")).strip()


def _check_reasons(after: Triage) -> None:
    if after.state is State.UPSTREAM and not after.issue:
        raise TriageError("`upstream` needs the issue's address")
    if after.state in (State.KNOWN, State.WONT_FIX) and not (after.note or after.issue):
        raise TriageError(f"`{after.state}` needs a reason: a note or an issue")


def _check_mute(until: str | None, today: date) -> None:
    if until is not None and _day(until) is not None and until <= today.isoformat():
        raise TriageError(f"muted until {until} is over already; today is {today}")


def _state(text: str, _moment: Moment) -> State:
    word = text.lower().replace(" ", "-").replace("'", "")
    try:
        return State(word)
    except ValueError:
        raise TriageError(f"{text[:40]!r} is no state; one of {', '.join(State)}") from None


def _assignee(text: str, moment: Moment) -> str | None:
    if text == "me":
        return moment.who
    if text and not _PERSON.fullmatch(text):
        raise TriageError(f"{text[:40]!r} is nobody's name")
    return text or None


def _issue(text: str, _moment: Moment) -> str | None:
    if short := _SHORT_ISSUE.fullmatch(text):
        return f"https://github.com/{short[1]}/issues/{short[2]}"
    if text and not _ISSUE.fullmatch(text):
        raise TriageError(
            f"{text[:60]!r} is no issue: an address that begins with https://, or owner/name#12"
        )
    return text or None


def _note(text: str, _moment: Moment) -> str:
    if len(text) > NOTE_CHARACTERS:
        raise TriageError(f"a note has at most {NOTE_CHARACTERS:,} characters, not {len(text):,}")
    return text


def _until(text: str, _moment: Moment) -> str | None:
    if not text or _day(text) is not None:
        return text or None
    return _version(text, "a day such as 2026-12-24, or a version such as 5.25.0")


def _fixed_in(text: str, _moment: Moment) -> str | None:
    return _version(text, "a version such as 5.25.0") if text else None


def _version(text: str, wanted: str) -> str:
    try:
        return str(Version(text[:60]))
    except InvalidVersion:
        raise TriageError(f"{text[:40]!r} is not {wanted}") from None


_READ: Mapping[str, Callable[[str, Moment], object]] = {
    "state": _state,
    "assignee": _assignee,
    "issue": _issue,
    "note": _note,
    "muted_until": _until,
    "fixed_in": _fixed_in,
}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def version_of(run: Run) -> Version | None:
    """Which version of Transformers a run was of, as far as it tells."""
    for told in (run.stack.get("transformers", ""), run.revision):
        try:
            return Version(told)
        except InvalidVersion:
            continue
    return None


def muted(found: Triage, *, today: date, version: Version | None) -> bool:
    """Whether it is muted, seen from a run of that version; of an unknown one, only by days."""
    until = found.muted_until
    if until is None:
        return False
    if day := _day(until):
        return today < day
    return version is not None and version < Version(until)


def tells_of_fixes(run: Run) -> bool:
    """Whether a run can show that something fixed is back."""
    return run.complete and not run.doubtful and not run.of_pulls


def comes_back(found: Triage, run: Run) -> bool:
    """Whether a run that has cells of a fixed group shows that it is back."""
    if found.state is not State.FIXED or not tells_of_fixes(run):
        return False
    if found.fixed_run is not None and run.id <= found.fixed_run:
        return False
    version = version_of(run)
    if found.fixed_in is None or version is None:
        return True
    return version >= Version(found.fixed_in)


def reopened(found: Triage, run: Run) -> Triage:
    """A fixed group that came back."""
    return replace(
        found,
        state=State.NEW,
        fixed_in=None,
        fixed_run=None,
        muted_until=None,
        returned_run=run.id,
    )


def merged(into: Triage, other: Triage, *, name: str) -> Triage:
    """What is said of a group that another one, of that name, is merged into."""
    note = "\n\n".join(filter(None, (into.note, other.note and f"*Of {name}:* {other.note}")))
    silent = into.state is State.NEW and into.returned_run is None
    return replace(
        into,
        state=other.state if silent else into.state,
        assignee=into.assignee or other.assignee,
        issue=into.issue or other.issue,
        note=note[:NOTE_CHARACTERS] if other.note != into.note else into.note,
        muted_until=_first(into.muted_until, other.muted_until),
        fixed_in=other.fixed_in if silent else into.fixed_in,
        fixed_run=other.fixed_run if silent else into.fixed_run,
    )


def _first(one: str | None, other: str | None) -> str | None:
    """The mute that ends first; of a day and a version, the day."""
    if one is None or other is None:
        return None
    days = [each for each in (one, other) if _day(each)]
    return min(days) if days else min(one, other, key=Version)


def changes(before: Triage, after: Triage) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The fields that are different, before and after."""
    names = [
        each.name
        for each in fields(Triage)
        if each.name not in _BOOKKEEPING and getattr(before, each.name) != getattr(after, each.name)
    ]
    before_, after_ = ({name: getattr(side, name) for name in names} for side in (before, after))
    return before_, after_


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is told of a group where only its name stands."""

    words: str
    issue: str | None = None
    muted: bool = False


def in_words(found: Triage) -> str:
    """`investigating, ada, https://…, muted until 2026-12-24`; empty if nothing was said."""
    back = f"came back in run {found.returned_run}" if found.returned_run else ""
    state = "" if found.state is State.NEW else found.state.value.replace("wont-fix", "won't fix")
    until = f"muted until {found.muted_until}" if found.muted_until else ""
    return ", ".join(filter(None, (state, back, found.assignee, found.issue, until)))
