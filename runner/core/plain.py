"""Untrusted text made plain: what would steer a terminal, or hide in a page, is taken out."""

import re

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    """The text without terminal sequences and control characters; tabs and line ends stay."""
    return _CONTROL.sub("", text)
