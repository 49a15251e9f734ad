"""Every error this project raises on purpose.

MatrixError          a user can do something about it: one line, exit code 2
├── SelectionError   a cell id, a backend, a variant or a SELECT that names nothing
├── ShapesError      a file of dynamic shapes that can't be read, or names no model class
├── KnownFailureError  a file of known failures with a row that is wrong
├── RecordError      a result file that is damaged or foreign
├── RevisionError    a revision that can't be found, unpacked or used with this stack
├── StoreError       a database that is missing, behind or ahead of the code
├── GitHubError      GitHub refuses, is down, or can't be reached
├── NotifyError      nobody can be told: a webhook or a mail server refuses, or is down
├── TriageError      what is said of a failure group lacks a reason, or can't be read
│   └── ConflictError  somebody else changed it meanwhile
├── CaseError        the zoo can't build or run a model class: `error`, ours
│   └── SkipError    the class can't run here (a package) or alone (a helper): `skip`
└── RuntimeLimit     exported, but the backend's own runtime can't run it: `fail`, theirs
"""

import difflib
from collections.abc import Iterable


class MatrixError(Exception):
    """Something a user can put right; the message is one line and names the way out."""


class SelectionError(MatrixError):
    """Nothing of that name; the message names the nearest valid one."""


class ShapesError(MatrixError):
    """A file of dynamic shapes that can't be read, or names no model class."""


class KnownFailureError(MatrixError):
    """A file of known failures that can't be read, or has a row that is wrong."""


class RecordError(MatrixError):
    """A result file that is damaged or was not written by this project."""


class RevisionError(MatrixError):
    """A revision that can't be found, unpacked or used with this stack."""


class StoreError(MatrixError):
    """A database that is missing, behind or ahead of the code."""


class GitHubError(MatrixError):
    """GitHub refuses a request, is down, or can't be reached."""

    def __init__(self, message: str, *, later_s: float | None = None) -> None:
        """`later_s`: seconds after which it may do; None if trying again is in vain."""
        super().__init__(message)
        self.later_s = later_s


class NotifyError(MatrixError):
    """A webhook or a mail server refuses, or can't be reached."""

    def __init__(self, message: str, *, later_s: float | None = None) -> None:
        """`later_s`: seconds after which it may do; None if trying again is in vain."""
        super().__init__(message)
        self.later_s = later_s


class TriageError(MatrixError):
    """What is said of a failure group lacks a reason, or can't be read."""


class ConflictError(TriageError):
    """Somebody else changed it meanwhile; nothing was changed now."""

    def __init__(self, *signatures: str) -> None:
        told = ", ".join(signatures[:5]) + (" and others" if len(signatures) > 5 else "")
        super().__init__(f"somebody changed {told} meanwhile; look at it, and say it again")
        self.signatures = signatures


class CaseError(MatrixError):
    """The zoo can't build or run a model class; an `error` of ours, never a `fail` of theirs."""


class SkipError(CaseError):
    """The class can't run here, for want of a package, or alone, being a helper: a `skip`."""


class RuntimeLimit(MatrixError):  # noqa: N818  (the glossary's word)
    """The export worked, but the backend's runtime can't load or run what was exported."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` for the closest known word, or the empty string."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""
