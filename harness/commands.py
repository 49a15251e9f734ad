"""What GitHub Actions would execute on reading it in a log.

A line that begins with `::name` is a command, and so is `##[name]` anywhere in one
(docs.github.com, "Workflow commands for GitHub Actions"): `::add-mask`, `::set-output`, `::error`.
"""

import re

_COMMAND = re.compile(r"(?m)^(\s*:)(?=:)|(#)(?=#\[)")


def defused(text: str) -> str:
    """The text with a blank in each such sign, so that it is read and not executed."""
    return _COMMAND.sub(r"\1\2 ", text)
