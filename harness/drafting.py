"""Goes on behind the first error of torch.export, in a process that is good for nothing else after.

`torch.export.draft_export` takes the place of `torch.export.export` under whatever exporter calls
it: where a value would be needed that a trace does not have, it takes the real one, notes that, and
goes on. It costs time and memory, and leaves state behind. What it raises itself says nothing of an
ordinary export: it has limits of its own.
"""

import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

#: a value that an ordinary export stops for
NEEDED = "value-needed"
#: what draft export logs of fake kernels
_KERNELS = ("missing_fake_kernel", "mismatched_fake_kernel")
#: where a draft compares its fake tensors with the real ones, which an ordinary export does not do
_OWN = "torch/_subclasses/fake_utils.py"
_MOST = 200


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
    #: where a value was needed, outermost first
    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        lines = tuple(Line(**each) for each in record["lines"])
        return cls(**{**record, "lines": lines})


def read(path: Path) -> list[Noted]:
    """What was noted there; what can't be read is none of ours."""
    try:
        return [Noted.of(json.loads(line)) for line in path.read_text().splitlines()]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def go_on(path: Path) -> None:
    """From now on exports are drafts; what they go on behind is written to a file as it comes."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)
    from torch.export import _draft_export  # noqa: PLC0415  (the same)
    from torch.fx.experimental.symbolic_shapes import ShapeEnv  # noqa: PLC0415  (the same)

    notes = Notes(path)
    given = ShapeEnv._log_real_tensor_propagation

    def value_needed(self: Any, expression: Any, value: Any) -> None:  # noqa: ANN401  (torch's own)
        # torch's log of it has three lines; where in the model it was needed is further out.
        notes.value_needed(str(expression), traceback.extract_stack()[:-1])
        given(self, expression, value)

    class Kept(_draft_export.CaptureStructuredTrace):  # type: ignore[misc]  # torch is untyped here
        def __exit__(self, *error: Any) -> None:  # noqa: ANN401  (a context manager's own)
            for each in kernels(self.log_record.logs):
                notes.add(each)
            super().__exit__(*error)

    ShapeEnv._log_real_tensor_propagation = value_needed
    _draft_export.CaptureStructuredTrace = Kept
    torch.export.export = torch.export.draft_export


class Notes:
    """What was noted so far: each place once, for loops come to it again and again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: set[object] = set()

    def value_needed(self, expression: str, stack: Sequence[traceback.FrameSummary]) -> None:
        if any(each.filename.endswith(_OWN) for each in stack):
            return
        place = tuple((each.filename, each.lineno) for each in stack)
        if place in self._places or len(self._places) >= _MOST:
            return
        self._places.add(place)
        lines = tuple(
            Line(
                path=each.filename,
                line=each.lineno or 0,
                function=each.name,
                source=each.line or "",
            )
            for each in stack
        )
        self.add(Noted(what=NEEDED, about=expression, lines=lines))

    def add(self, found: Noted) -> None:
        with self._path.open("a") as file:
            file.write(f"{json.dumps(asdict(found))}\n")


def kernels(logs: Sequence[tuple[str, Any]]) -> list[Noted]:
    """The fake kernels among draft export's logs that are missing or wrong, each once."""
    found = (
        Noted(what=name, about=str(content.get("op")), reason=str(content.get("reason", "")))
        for name, content in logs
        if name in _KERNELS
    )
    return list(dict.fromkeys(found))
