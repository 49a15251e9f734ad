"""Goes on behind the first error of torch.export, in a process that is good for nothing else after.

`torch.export.draft_export` takes the place of `torch.export.export` under whatever exporter calls
it: where a value would be needed that a trace does not have, it takes the real one, notes that, and
goes on. It costs time and memory, and leaves state behind. What it raises itself says nothing of an
ordinary export: it has limits of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

#: what draft export logs of a value that an ordinary export stops for
NEEDED = "propagate_real_tensors_provenance"
_NOTED = (NEEDED, "missing_fake_kernel", "mismatched_fake_kernel")
_LARGEST_TIMES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of code that an error came through."""

    path: str
    line: int
    function: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One error that draft export went on behind."""

    what: str
    #: the expression whose value was needed, or the operator
    about: str
    #: why a fake kernel is wrong
    reason: str = ""
    #: outermost first
    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        lines = tuple(Line(**each) for each in record["lines"])
        return cls(**{**record, "lines": lines})


def read(path: Path) -> list[Noted]:
    """What was noted there; nothing if the file is not there, or no file of ours."""
    try:
        return [Noted.of(each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def go_on(path: Path) -> None:
    """From now on, export drafts; what they note is written to a file when each of them ends."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)
    from torch.export import _draft_export  # noqa: PLC0415  (the same)

    found: list[Noted] = []

    class Kept(_draft_export.CaptureStructuredTrace):  # type: ignore[misc]  # torch is untyped here
        def __exit__(self, *error: Any) -> None:  # noqa: ANN401  (a context manager's own)
            found.extend(noted(self.log_record.logs))
            path.write_text(json.dumps([asdict(each) for each in found]))
            super().__exit__(*error)

    _draft_export.CaptureStructuredTrace = Kept
    torch.export.export = torch.export.draft_export


def noted(logs: Sequence[tuple[str, Any]]) -> list[Noted]:
    """The errors among draft export's logs, each once, in the order in which they came."""
    files = {content[1]: content[0] for name, content in logs if name == "str"}
    told = (_noted(name, content, files) for name, content in logs if name in _NOTED)
    return list(dict.fromkeys(told))[:_LARGEST_TIMES]


def _noted(name: str, content: Mapping[str, Any], files: Mapping[int, str]) -> Noted:
    lines = tuple(
        Line(
            path=files.get(frame["filename"], str(frame["filename"])),
            line=frame["line"],
            function=frame["name"],
            source=frame.get("loc") or "",
        )
        for frame in content.get("stack", ())
    )
    about = str(content.get("expr", content.get("op", "")))
    return Noted(what=name, about=about, reason=str(content.get("reason", "")), lines=lines)
