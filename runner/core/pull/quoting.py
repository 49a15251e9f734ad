"""Untrusted text in GitHub's Markdown: always in a code span, on one line, of bounded length.

Inside a code span nothing is a mention, a reference, a link, an emoji, HTML or a marker; escapes of
plain text don't hold on GitHub, which looks for `@name` and `#1` in what was rendered. A span ends
only where as many backticks stand together as where it began, so it begins with more of them than
the text has.
"""

import re
import unicodedata

from runner.core.plain import plain

_LENGTH = 240
#: control, format (which reverse the writing, or hide), surrogates: never shown
_UNSEEN = ("Cc", "Cf", "Cs", "Co")


def one_line(text: str, *, length: int = _LENGTH) -> str:
    """Untrusted text on one line; what is left out of a long one is counted."""
    # Of ten megabytes only the beginning is looked at.
    began = " ".join(plain(text[: 8 * length]).split())
    seen = "".join(sign for sign in began if unicodedata.category(sign) not in _UNSEEN)
    if len(text) <= 8 * length and len(seen) <= length:
        return seen
    return f"{seen[:length]} … (of {len(text):,} characters)"


def quoted(text: str, *, length: int = _LENGTH) -> str:
    """Untrusted text as a code span; nothing for nothing."""
    seen = one_line(text, length=length)
    if not seen:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", seen)), default=0))
    pad = " " if "`" in (seen[0], seen[-1]) else ""
    return f"{fence}{pad}{seen}{pad}{fence}"


def in_table(text: str, *, length: int = _LENGTH) -> str:
    """The same in a table, where a bar would end the cell even inside a span."""
    return quoted(text.replace("|", "¦"), length=length)
