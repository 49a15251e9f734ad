"""Jobs that are suggested for a pull request, from the files that it changes.

1. A model whose own files (source or tests) it changes is named, always.
2. A model that its changes reach by other code is named while there is room: those of the preset
   `popular` first. How many are not named is told, with the files that reach them.
"""

import re
from collections.abc import Iterable, Sequence

from runner.core.presets import PRESETS
from runner.core.pull.quoting import quoted

MARKER = "<!-- export-matrix:suggestion -->"
_OWN = re.compile(r"(?:src/transformers|tests)/models/([a-z0-9][a-z0-9_]*)/")
_NAMED = 20
_FILES = 3


def suggested(files: Sequence[str], reached: Iterable[str]) -> str | None:
    """The comment; None where no model is touched. `reached` are the model types of the impact."""
    own = sorted({found[1] for file in files if (found := _OWN.match(file)) if found[1] != "auto"})
    other = sorted(set(reached) - {*own}, key=lambda name: (not _popular(name), name))
    named = [*own, *other[: max(0, _NAMED - len(own))]]
    if not named:
        return None
    lines = [
        MARKER,
        "**[For maintainers]** Suggested jobs to run (before merge)",
        "",
        f"run-slow: {', '.join(named)}",
    ]
    left = len(own) + len(other) - len(named)
    if left:
        lines += ["", f"{left} models more are reached by {_shared(files)}; {_NAMED} are named."]
    return "\n".join(lines) + "\n"


def _popular(name: str) -> bool:
    return f"{name}/*" in PRESETS["popular"]


def _shared(files: Sequence[str]) -> str:
    shared = [file for file in files if file.startswith("src/") and not _OWN.match(file)]
    told = ", ".join(quoted(file) for file in (shared or files)[:_FILES])
    rest = len(shared or files) - _FILES
    return f"{told} and {rest} files more" if rest > 0 else told
