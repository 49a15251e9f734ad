"""What the lines of a report are made of: signs, untrusted text on one line, what is left out."""

import re
from collections.abc import Iterator

from runner.core.diff import CellChange
from runner.core.plain import plain
from runner.core.runs import CellVerdict, Verdict

_SIGNS = {
    Verdict.PASS: "✅",
    Verdict.SKIP: "⏭️",
    Verdict.MISSING: "❔",
    Verdict.ERROR: "⚠️",
    Verdict.FLAKY: "🎲",
}
_LOST = "❌"
_NOWHERE = "∅"
#: of a section's list
CELLS_PER_GROUP = 12


def arrow(change: CellChange) -> str:
    """`✅ ⟹ ❌`."""
    return f"{_sign(change.before)} ⟹ {_sign(change.after)}"


def _sign(found: CellVerdict | None) -> str:
    return _NOWHERE if found is None else _SIGNS.get(found.verdict, _LOST)


def more(count: int, indent: str) -> Iterator[str]:
    """`and 3 more`, where a list leaves some out."""
    rest = count - CELLS_PER_GROUP
    if rest > 0:
        yield f"{indent}and {rest} more"


def line(text: str) -> str:
    """Untrusted text on one line."""
    return " ".join(plain(text).split())


def code(text: str | None) -> str:
    """A name of ours, in Markdown."""
    return f"`{text.replace('`', '')}`" if text else ""


def escape(text: str) -> str:
    """Untrusted text as plain Markdown: no HTML, no links, mentions or references, on one line."""
    shown = line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", shown)
    shown = shown.replace("@", "@&#8203;").replace("://", ":&#8203;//").replace("\\#", "\\#&#8203;")
    # References are looked for in what was rendered, where escapes are undone.
    shown = re.sub(r"(?i)\b(gh)(?=\\-\d)|\b(www)(?=\.)", r"\1\2&#8203;", shown)
    return re.sub(r"\b([0-9a-f]{4})(?=[0-9a-f]{3,36}\b)", r"\1&#8203;", shown)
