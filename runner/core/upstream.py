"""The text of an issue for whoever owns a failure group: ready to be posted where it belongs. Pure.

Whatever a model or an exporter said stands in code, where it mentions and formats nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.cells import Cell
from harness.results import Result, Stage
from harness.verify import problems
from runner.core.plain import plain

_TRANSFORMERS, _PYTORCH = "huggingface/transformers", "pytorch/pytorch"
_REPOSITORIES = {
    "model": _TRANSFORMERS,
    "transformers.exporters": _TRANSFORMERS,
    "torch.export": _PYTORCH,
    "torch.onnx": _PYTORCH,
    "onnxscript": "microsoft/onnxscript",
    "onnxruntime": "microsoft/onnxruntime",
    "executorch": "pytorch/executorch",
    "openvino": "openvinotoolkit/openvino",
}
_BY_BACKEND = {
    "dynamo": _PYTORCH,
    "onnx": _PYTORCH,
    "executorch": "pytorch/executorch",
    "openvino": "openvinotoolkit/openvino",
}
_HEAD = "Traceback (most recent call last):"
_FRAME = re.compile(r'^  File "(?P<path>[^"]+)", line \d+', re.MULTILINE)
_MODEL_CODE = re.compile(r"transformers/(?!exporters/)")
_INSTALLED = re.compile(r'File "[^"]*(?:site-packages/|/(?=script\.py"))')
_LAST_FRAMES, _MESSAGE_LINES, _TYPES = 3, 14, 30
_LINE_CHARACTERS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A ready issue."""

    #: whose it is, `owner/name` on GitHub
    repository: str
    title: str
    #: Markdown
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What an issue is written from."""

    cell: Cell
    #: the one that the script uses: dynamo's, where that fails alike
    backend: str
    title: str
    signature: str
    owner: str
    #: why that is the owner, in one sentence
    evidence: str
    #: empty as long as none was made
    script: str
    #: what the script showed, in a process of its own; without one, what a run saw
    shown: Result
    #: package -> version
    stack: Mapping[str, str]
    #: what pip installs
    requirements: str
    #: whether the script showed the same signature
    same: bool
    tolerance: str
    #: cells that fail alike, by model type
    shared: Mapping[str, int]


def repository(owner: str, backend: str) -> str:
    """Where an owner's issues are; numerics are whose backend it is."""
    return _REPOSITORIES.get(owner) or _BY_BACKEND.get(backend, _TRANSFORMERS)


def issue(found: Found) -> Issue:
    what = " ".join(plain(found.title).split())
    return Issue(
        repository=repository(found.owner, found.backend),
        title=f"[{found.backend} export] {found.cell.model_class}: {what}"[:200],
        body="\n".join(_body(found)),
    )


def _body(found: Found) -> Iterator[str]:
    expected, actual = _expectation(found)
    yield "## What happens\n"
    yield f"Exporting {_code(found.cell.model_class)} ({_code(found.cell.variant)}) {actual}:\n"
    yield from _fenced(plain(found.title), "")
    yield "\n## Reproduction\n"
    if found.script and not found.same:
        yield _DIFFERS
    if found.script:
        yield from _fenced(found.script, "python")
    else:
        yield from _fenced(f"export-matrix reproduce {found.cell.id} > script.py", "console")
    yield f"\n## Expected\n\n{expected}\n"
    yield "## Actual\n"
    yield from _fenced("\n".join(interesting(found.shown)), "text")
    yield "\n## Environment\n"
    yield from (f"- {package} {_code(at)}" for package, at in found.stack.items())
    yield f"\n{_code(f'pip install {found.requirements}')}\n"
    yield "## Whose it is\n"
    yield f"{found.owner}: {_code(found.evidence)}\n"
    yield "## Who shares it\n"
    yield from _shared(found.shared)
    yield f"\nSignature {_code(found.signature)} of Export Matrix, by {_code(found.cell.id)}."


_DIFFERS = (
    "**This script did not show the same failure when it was run by itself**; what it shows is "
    "below.\n"
)


def _expectation(found: Found) -> tuple[str, str]:
    match found.shown.stage:
        case Stage.COMPARE | Stage.RESIZE:
            expected = f"The program gives what eager gives, {found.tolerance}.{_rounding(found)}"
            return expected, "gives a program whose outputs are not eager's"
        case Stage.LOAD | Stage.INFER:
            return "The runtime runs the program.", "gives a program that its runtime can't run"
        case _:
            return "The export gives a program.", "fails"


def _rounding(found: Found) -> str:
    """That values differ by more than eager can be blamed for, where values are what differs."""
    outputs = [each for part in found.shown.components for each in part.outputs if each.problem]
    if not outputs or any(each.problem != "values" for each in outputs):
        return ""
    return (
        " Rounding doesn't explain the difference: eager's own outputs don't all move by a tenth of"
        " it, neither when each weight is off by one unit in its last place nor when other random"
        " numbers are drawn."
    )


def _shared(shared: Mapping[str, int]) -> Iterator[str]:
    total = sum(shared.values())
    most = sorted(shared.items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{_code(name)} ({count})" for name, count in most[:_TYPES])
    more = f", and {len(most) - _TYPES} more model types" if len(most) > _TYPES else ""
    word = "cell fails" if total == 1 else "cells fail"
    yield f"{total} {word} alike, of {len(most)} model type{'s' * (len(most) > 1)}: {named}{more}."


def interesting(shown: Result) -> Sequence[str]:
    """Of a traceback the frames in model code and the innermost ones, and what was raised."""
    if not shown.traceback:
        told = [line for part in shown.components for line in problems(part.outputs)]
        said = told[:_MESSAGE_LINES] or [shown.reason or ""]
        return [*map(_line, said), *_last_words(shown)]
    last = shown.traceback[shown.traceback.rindex(_HEAD) :] if _HEAD in shown.traceback else ""
    last = last if _FRAME.search(last) else shown.traceback
    starts = [each.start() for each in _FRAME.finditer(last)]
    frames = [last[begin:end] for begin, end in pairwise([*starts, len(last)])]
    if not frames:
        return plain(shown.traceback).splitlines()[-_MESSAGE_LINES:]
    frames[-1], raised = _split(frames[-1])
    kept = [i for i, each in enumerate(frames) if _MODEL_CODE.search(each.splitlines()[0])]
    kept += range(max(0, len(frames) - _LAST_FRAMES), len(frames))
    lines = [_HEAD]
    for index, each in enumerate(frames):
        if index in kept:
            lines += each.rstrip().splitlines()
        elif index - 1 in kept or not index:
            lines.append("  ...")
    lines += raised[:_MESSAGE_LINES]
    return [_line(line) for line in lines]


def _line(text: str) -> str:
    """A line without the place where packages are installed here."""
    return _INSTALLED.sub('File "', plain(text))[:_LINE_CHARACTERS]


def _split(frame: str) -> tuple[str, list[str]]:
    """The last frame's own lines, and what stands after them."""
    lines = frame.splitlines()
    own = next((i for i, each in enumerate(lines) if i and not each.startswith(" ")), len(lines))
    return "\n".join(lines[:own]), lines[own:]


def _last_words(shown: Result) -> list[str]:
    return plain(shown.log_tail or "").splitlines()[-_MESSAGE_LINES:]


def _fenced(text: str, language: str) -> Iterator[str]:
    """A block of code, whatever backticks are in it."""
    longest = max((len(each) for each in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    yield f"{fence}{language}"
    yield text.rstrip("\n")
    yield fence


def _code(text: str) -> str:
    told = " ".join(plain(text).split()).replace("`", "'")
    return f"`{told}`" if told else ""
