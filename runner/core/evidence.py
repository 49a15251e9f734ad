"""What a failure says of itself: its text, its exceptions, and the frames they came through."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from harness.results import ComponentResult, Outcome, Result, Stage

_FRAME = re.compile(
    r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)(?:,? in (?P<function>\S+))?\n?'
    r'(?P<source>[ \t]+(?!File ")\S[^\n]*)?',
    re.MULTILINE,
)
_CAUSED = re.compile(
    r"Caused by: [^\n]*\((?P<path>[^\s:()]+):(?P<line>\d+) in (?P<function>[\w<>]+)\)"
)
_EXCEPTION = re.compile(
    r"^(?:E   )?(?P<type>(?:[\w]+\.)*\w*(?:Error|Exception|Exit|Interrupt|Violation|Unsupported|"
    r"NotImplemented|Fail|SymNode|NotFound|InvalidGraph|InvalidArgument|Limit))"
    r"(?:: (?P<message>.*))?$",
    re.MULTILINE,
)
_MODEL_CODE = re.compile(r"^transformers\.models\.")
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
    line: int
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
    backend: str | None = None
    #: largest difference among the outputs that are not equal
    worst_difference: float | None = None
    #: model code that the exporters replaced while they traced, `…modeling_x.XAttention.forward`
    patched: tuple[str, ...] = ()

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
        """All frames, outermost first; those that torch itself names as the cause come last.

        torch names such a frame without its source line, which stands with it further up.
        """
        frames = [_frame(found) for found in _FRAME.finditer(self.text)]
        written = {(each.path, each.line): each.source for each in frames}
        for found in _CAUSED.finditer(self.text):
            named = _frame(found)
            sources = (
                source
                for (path, line), source in written.items()
                if line == named.line and path.endswith(named.path)
            )
            frames.append(replace(named, source=next(sources, "")))
        return frames


def _frame(found: re.Match[str]) -> Frame:
    parts = found.groupdict()
    return Frame(
        path=parts["path"],
        line=int(parts["line"]),
        function=parts["function"] or "",
        source=(parts.get("source") or "").strip(),
    )


def of_result(result: Result) -> Evidence:
    """The evidence in a result; which component stopped is none, for the failure is the same."""
    stopped = _stopped(result)
    reason = stopped.reason if stopped and stopped.reason else result.reason or ""
    parts = (reason, result.traceback, result.log_tail)
    differences = [
        output.max_abs_diff
        for output in (stopped.outputs if stopped else ())
        if output.problem and output.max_abs_diff is not None
    ]
    return Evidence(
        text="\n".join(part for part in parts if part),
        reason=reason,
        outcome=result.outcome,
        stage=result.stage,
        given=_given(result),
        signal=result.signal,
        backend=result.cell.backend,
        worst_difference=max(differences, default=None),
        patched=tuple(filter(_MODEL_CODE.search, stopped.patches)) if stopped else (),
    )


def _given(result: Result) -> str | None:
    """The kind that the harness set, which a label may have replaced since by a finer one."""
    stopped = _stopped(result)
    return stopped.kind if stopped else result.kind


def _stopped(result: Result) -> ComponentResult | None:
    """The component that the result tells of."""
    told = (
        part
        for part in result.components
        if part.outcome is result.outcome and part.stage is result.stage
    )
    return next(told, None)


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
