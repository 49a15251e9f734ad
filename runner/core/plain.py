"""Untrusted text made plain: what would steer a terminal, or hide in a page, is taken out."""

import re

from harness.commands import defused

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
#: what turns the writing around, so that a text reads as another (CVE-2021-42574)
_TURNING = "\u202a-\u202e\u2066-\u2069"
_TURNS = re.compile(f"[{_TURNING}]")
_UNSHOWN = re.compile(f"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff{_TURNING}]")


def plain(text: str) -> str:
    """The text without what steers, turns around or commands; tabs and line ends stay."""
    return defused(_TURNS.sub("", uncontrolled(text)))


def uncontrolled(text: str) -> str:
    """The text without terminal sequences and control characters; signatures are made of it."""
    return _CONTROL.sub("", text)


def shown(text: str) -> str:
    """The text with a sign in place of each character that a page must not have as it is."""
    return _UNSHOWN.sub("\ufffd", text)


def storable(text: str) -> str:
    """The text without what no database takes: NUL and lone surrogates."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()
