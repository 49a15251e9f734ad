"""What a failure says of itself: its text, its exceptions, and the frames they came through."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from harness.results import Outcome, Result, Stage

_FRAME = re.compile(
    r'^\s*File "(?P<path>[^"]+)", line \d+(?:, in (?P<function>\S+))?\n?'
    r"(?P<source>[ \t]+\S[^\n]*)?",
    re.MULTILINE,
)
_CAUSED = re.compile(r"Caused by: [^\n]*\((?P<path>[^\s:()]+):\d+ in (?P<function>\w+)\)")
_EXCEPTION = re.compile(
    r"^(?:E   )?(?P<type>(?:[\w]+\.)*\w*(?:Error|Exception|Exit|Interrupt|Violation|Unsupported|"
    r"NotImplemented|Fail|SymNode|NotFound|InvalidGraph|InvalidArgument|Limit))"
    r"(?:: (?P<message>.*))?$",
    re.MULTILINE,
)
_PYTEST_SECTION = re.compile(r"^_{3,} .+ _{3,}$", re.MULTILINE)
_HEAD = "Traceback (most recent call last):"
_CHAINED = re.compile(
    r"(?:The above exception was the direct cause of the following exception|"
    r"During handling of the above exception, another exception occurred):\s*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of code that a failure came through."""

    path: str
    function: str
    source: str


@dataclass(frozen=True, kw_only=True)  # without slots, which a cached property has no place in
class Evidence:
    """A failure, whether from a result or from a raw log."""

    text: str
    reason: str = ""
    outcome: Outcome = Outcome.FAIL
    stage: Stage | None = None
    #: the kind that the harness set
    given: str | None = None
    signal: str | None = None
    #: largest difference among the outputs that are not equal
    worst_difference: float | None = None

    @cached_property
    def message(self) -> str:
        """The text without its frames: what was said, not the code it came through."""
        return _FRAME.sub("", self.text)

    @cached_property
    def exceptions(self) -> list[tuple[str, str]]:
        """(type without its module, first line of the message), the first cause first."""
        return [
            (found["type"].rpartition(".")[2], (found["message"] or "").strip())
            for found in _EXCEPTION.finditer(self.text)
        ]

    @cached_property
    def frames(self) -> list[Frame]:
        """All frames, outermost first; those that torch itself names as the cause come last."""
        written = [*_FRAME.finditer(self.text), *_CAUSED.finditer(self.text)]
        return [
            Frame(
                path=found["path"],
                function=found["function"] or "",
                source=(found.groupdict().get("source") or "").strip(),
            )
            for found in written
        ]


def of_result(result: Result) -> Evidence:
    """The evidence in a result."""
    parts = (result.reason, result.traceback, result.log_tail)
    differences = [
        output.max_abs_diff
        for part in result.components
        for output in part.outputs
        if output.problem and output.max_abs_diff is not None
    ]
    return Evidence(
        text="\n".join(part for part in parts if part),
        reason=result.reason or "",
        outcome=result.outcome,
        stage=result.stage,
        given=_given(result),
        signal=result.signal,
        worst_difference=max(differences, default=None),
    )


def _given(result: Result) -> str | None:
    """The kind that the harness set, which a label may have replaced since by a finer one."""
    stopped = [
        part.kind
        for part in result.components
        if part.outcome is result.outcome and part.stage is result.stage
    ]
    return stopped[0] if stopped else result.kind


def of_text(text: str) -> list[Evidence]:
    """The failures in a raw traceback or a pytest log; none if it holds no exception."""
    found = [Evidence(text=block) for block in _blocks(text)]
    return [
        Evidence(text=item.text, reason=": ".join(item.exceptions[-1]))
        for item in found
        if item.exceptions
    ]


def _blocks(text: str) -> Iterator[str]:
    """One block per failure: pytest's sections, else each traceback with its causes."""
    sections = _PYTEST_SECTION.split(text)
    if len(sections) > 1:
        yield from (re.sub(r"^E\s+", "", part, flags=re.MULTILINE) for part in sections[1:])
        return
    block = ""
    for part in re.split(f"(?={re.escape(_HEAD)})", text):
        if block and not _CHAINED.search(block.rstrip()):
            yield block
            block = ""
        block += part
    yield block
