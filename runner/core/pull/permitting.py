"""Who may have what run, and when: the first rule that refuses is told.

1. A bot asks for nothing: it is not even answered.
2. Only people and teams that are listed may have anything run.
3. Only on an open pull request.
4. Only what the author of the comment can have seen: a commit that was pushed after the comment is
   not run for it. Where nobody knows since when the head stands, it counts as moved.
5. Only so many within an hour; who is past that is told once, and then not answered.

Times are of GitHub's clock: a commit's own date is what its author says it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

#: commands of one author within an hour
HOURLY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The people and the teams that may ask."""

    people: frozenset[str] = frozenset()
    #: (organisation, team)
    teams: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """From `alice, bob, @organisation/team`."""
        names = [name.strip().lstrip("@").lower() for name in text.replace(",", " ").split()]
        people = frozenset(name for name in names if name and "/" not in name)
        pairs = [name.partition("/") for name in names if "/" in name]
        return cls(people=people, teams=tuple((owner, team) for owner, _, team in pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The circumstances of a command."""

    author: str
    bot: bool
    #: whether the author is listed, by name or by team
    listed: bool
    open: bool
    commented_at: datetime
    #: when the pull request's head came to be what it is; None if nobody knows
    head_since: datetime | None
    #: commands of the same author in the hour before
    before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nothing is run; None is not answered."""

    why: str | None


def refusal(asked: Asked, *, hourly: int = HOURLY) -> Refusal | None:
    """Why a command is refused; None where it may run."""
    if asked.bot or asked.before > hourly:
        return Refusal(why=None)
    reasons = (
        (not asked.listed, "only listed people and teams can have exports run here"),
        (not asked.open, "the pull request is not open"),
        (_moved(asked), "commits were pushed after the comment; look at them, and ask again"),
        (asked.before == hourly, f"{hourly} commands within an hour are the limit; ask later"),
    )
    return next((Refusal(why=why) for holds, why in reasons if holds), None)


def _moved(asked: Asked) -> bool:
    return asked.head_since is None or asked.head_since > asked.commented_at


def known_since(*moments: datetime | None) -> datetime | None:
    """The latest of what is known."""
    known: Iterable[datetime] = (each for each in moments if each is not None)
    return max(known, default=None)
