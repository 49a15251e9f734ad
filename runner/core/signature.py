"""The identity of *the same failure*: a versioned id, and the readable title it is made from.

    key = version, stage, kind, exception types, operator, where

`where` is the innermost frame of the first family that the traceback passes: Transformers without
its exporters and its general helpers, then torch.onnx, torch.export, ExecuTorch, onnxscript, ONNX
Runtime, then the exporters; function and source line, never the line number, which moves. Outside
Transformers the masked message stands beside it, for one line of a library raises many things. For
what runs after the export (load, infer, compare, resize) and for what has no frames, the masked
message takes its place. Models' names are masked in all of it, so that forty copies of one
attention fall into one group; which component of a cell stopped, and how it is nested in what else
was raised, doesn't matter.

What has neither frames nor a message that tells causes apart is its model's own, and the model type
stands beside it: a limit that was struck, sizes that a program refuses, outputs that eager itself
can't repeat, values that differ. Those differ alike whichever output or head shows it, slightly or
grossly; if the exporters replace model code of it, that code stands for the cause instead, and
slight differences of a runtime whose kernels approximate are the runtime's.

Change `VERSION` whenever a stored failure could get another id; `db resign` tells history.
"""

import hashlib
import math
import re
from dataclasses import dataclass

from harness.results import Outcome, Stage
from runner.core.classify import Classification
from runner.core.evidence import Evidence, Frame
from runner.core.masks import mask, mask_model, model_of

VERSION = 3
_CURRENT = re.compile(rf"s{VERSION}-[0-9a-f]{{12}}(\.\d{{1,9}})?", re.ASCII)

_TRANSFORMERS = re.compile(r"transformers/(?!exporters/|utils/)")
_FAMILIES = (
    _TRANSFORMERS,
    re.compile(r"torch/onnx/|torch/export/|executorch/|onnxscript/|onnxruntime/"),
    re.compile(r"transformers/exporters/"),
)
_DEATHS = (Outcome.CRASH, Outcome.TIMEOUT, Outcome.OOM)
_AFTER_EXPORT = (Stage.LOAD, Stage.INFER, Stage.COMPARE, Stage.RESIZE)
_TITLE_CHARACTERS = 200
# Kinds that say no more than that something is up with this model.
_OF_ITS_MODEL = ("timeout", "oom", "random", "ill-conditioned", "nondeterministic", "nonfinite")
_OF_VALUES = ("mismatch", "patch-mismatch")
_GROSS = 0.1
# XNNPACK computes activations by other formulas than torch does: GELU's tanh form is none of its.
_APPROXIMATING = ("executorch",)
_WRAPPING = re.compile(
    r"failed on component|^Failed to (?:convert the exported|decompose the FX|export the model)"
)
_LARGEST = re.compile(r"largest difference (\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
_SPEECHLESS = re.compile(r"\w+\Z")
_LOOP = re.compile(r"^for \w+ in \w+:")
# What a reason says of the case rather than of the failure.
_ASIDES = re.compile(r" ?\((?:(?:batch|sequence|image|audio|frames)[^)]*|and \d+ more)\)")


def is_current(signature: str | None) -> bool:
    """Whether it was made by this version; none, or another's, is to be made again."""
    return signature is not None and bool(_CURRENT.fullmatch(signature))


@dataclass(frozen=True, slots=True)
class Signature:
    """The id that results of one failure group share, and their common title."""

    id: str
    title: str


def sign(evidence: Evidence, found: Classification, *, model: str | None = None) -> Signature:
    """The signature of a failure of that kind; `model` is the cell's model type."""
    frame = signed_frame(evidence)
    title = _title(evidence, found, model)
    parts = (
        f"v{VERSION}",
        evidence.stage or "",
        found.kind,
        ",".join(sorted({kind for kind, _ in evidence.exceptions})),
        mask(found.captures.get("op", ""), model=model),
        _frameless(evidence, found, title, model) or _where(frame, title),
    )
    digest = hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()[:12]
    return Signature(f"s{VERSION}-{digest}", _named(title, frame, evidence.frames))


def _frameless(
    evidence: Evidence, found: Classification, title: str, model: str | None
) -> str | None:
    """What stands for the cause where neither frames nor the message do."""
    if found.kind in _OF_ITS_MODEL:
        return model
    if found.kind == "specialized-shape":
        return f"{model}: {title}"
    if found.kind != "mismatch" or not evidence.worst_difference:
        return None
    far = _how_far(evidence.worst_difference)
    theirs = evidence.backend in _APPROXIMATING and far == "slightly"
    return f"{evidence.backend if theirs else model}: {far}"


def _how_far(difference: float) -> str:
    return "grossly" if difference >= _GROSS else "slightly"


def _placeless(evidence: Evidence) -> bool:
    """Whether the frames say nothing: of a runtime, or of the moment at which a limit struck."""
    return evidence.stage in _AFTER_EXPORT or evidence.outcome in (Outcome.TIMEOUT, Outcome.OOM)


def signed_frame(evidence: Evidence) -> Frame | None:
    """The frame that a signature is made of; None where it is made of none."""
    return None if _placeless(evidence) else deepest(evidence.frames)


def deepest(frames: list[Frame]) -> Frame | None:
    """The innermost frame of the first family that is there."""
    for family in _FAMILIES:
        inside = [frame for frame in frames if family.search(frame.path)]
        if inside:
            return inside[-1]
    return None


def _where(frame: Frame | None, title: str) -> str:
    """A line of Transformers says enough; one of a library says what was said there as well."""
    if frame is None:
        return title
    return place(frame) if _TRANSFORMERS.search(frame.path) else f"{place(frame)}\n{title}"


def _named(title: str, frame: Frame | None, frames: list[Frame]) -> str:
    """The title with the line of Transformers that it came from, which says more than a message.

    Where nothing was said at all, with the line that raised.
    """
    if frame is not None and not _TRANSFORMERS.search(frame.path):
        frame = frames[-1] if _SPEECHLESS.match(title) else None
    if frame is None or not frame.source or frame.source.startswith("raise "):
        return title
    source = mask_model(frame.source, model_of(frame.path) or "<model>")
    return f"{title[: _TITLE_CHARACTERS - 80].rstrip()} at `{source[:80]}`"


def place(frame: Frame) -> str:
    """A frame as it is the same in all copies of a model: file, function, source line.

    What a loop calls its variables says nothing of it.
    """
    model = model_of(frame.path)
    file = frame.path.rpartition("/")[2]
    source = _LOOP.sub("for <name> in <name>:", " ".join(frame.source.split()))
    text = f"{file}:{frame.function}:{source}"
    return text if model is None else mask_model(text, model)


def _title(evidence: Evidence, found: Classification, model: str | None) -> str:
    """One readable line: what a group is called."""
    if evidence.outcome in _DEATHS:
        ended = evidence.signal if evidence.outcome is Outcome.CRASH else None
        ended = ended or found.kind
        return f"{ended} at {evidence.stage or 'start'}"
    if found.kind in _OF_VALUES and (evidence.worst_difference or 0) > 0:
        return _differs(evidence, model)
    if "op" in found.captures:
        return mask(f"{found.kind}: {found.captures['op']}", model=model)
    if "guard" in found.captures:
        return mask(f"can't guard on {found.captures['guard'].strip()}", model=model)
    exceptions = evidence.exceptions
    said = evidence.reason
    if exceptions and evidence.stage not in _AFTER_EXPORT:
        said = ": ".join(part for part in _telling(exceptions) if part)
    return mask(_ASIDES.sub("", said), model=model)[:_TITLE_CHARACTERS] or found.kind


def _telling(exceptions: list[tuple[str, str]]) -> tuple[str, str]:
    """The last exception that has a message; wrappers say less than what they wrap."""
    wrapped = [item for item in exceptions if item[1] and not _WRAPPING.search(item[1])]
    return (wrapped or exceptions)[-1]


def _differs(evidence: Evidence, model: str | None) -> str:
    """What is known of values that differ; a component's name before the reason stays out."""
    far = _how_far(evidence.worst_difference or 0)
    if evidence.patched:
        replaced = {
            patch.partition(".modeling_")[2].partition(".")[2] for patch in evidence.patched
        }
        names = sorted(mask(name, model=model) for name in replaced)
        return f"values differ {far} where {' and '.join(names)} is replaced"
    if evidence.backend in _APPROXIMATING and far == "slightly":
        return f"values differ slightly on {evidence.backend}"
    # The output that is named, and not the worst of all, is what a title tells of.
    own = _LARGEST.search(evidence.reason)
    by = float(own[1]) if own else evidence.worst_difference or 1
    size = f" by about 1e{math.floor(math.log10(by or 1)):+d}"
    named = re.search(r"output '([^']*)'", evidence.reason)
    if named is None:
        return mask(evidence.reason, model=model) + size
    output = re.sub(r"[.][0-9]+", ".<int>", named[1])
    return mask(f"output '{output}' differs", model=model) + size
