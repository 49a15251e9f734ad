"""A badge: few words, and a colour that is never greener than they are.

Skips are no part of what ran. What lacks results is `incomplete`, whatever passed; where nothing
ran it is `unknown`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from runner.core.runs import Verdict

_GREY = "#5f6368"
# White letters are read on each of them (WCAG AA).
_COLOURS = ((1.0, "#1a7f37"), (0.9, "#6b7500"), (0.5, "#9a6700"), (0.0, "#b3261e"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What a badge says."""

    label: str
    message: str
    colour: str

    @property
    def text(self) -> str:
        """For who can't see it."""
        return f"{self.label}: {self.message}"


def badge(label: str, verdicts: Mapping[Verdict, int], *, complete: bool) -> Badge:
    """`412 of 550 pass`; `complete` is whether all that was meant to run has its result."""
    passed = verdicts.get(Verdict.PASS, 0)
    ran = sum(verdicts.values()) - verdicts.get(Verdict.SKIP, 0)
    if verdicts and (not complete or verdicts.get(Verdict.MISSING, 0)):
        return Badge(label=label, message="incomplete", colour=_GREY)
    if not ran:
        return unknown(label)
    colour = next(each for least, each in _COLOURS if passed >= least * ran)
    return Badge(label=label, message=f"{passed} of {ran} pass", colour=colour)


def unknown(label: str) -> Badge:
    """Nothing is known of it."""
    return Badge(label=label, message="unknown", colour=_GREY)
