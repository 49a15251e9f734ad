"""The same inputs in other sizes, proven by an eager run.

The boldest change is tried first: all sizes, then without pictures, then batch and lengths, then
one of them. A change that the model refuses, or that a user's shapes rule out, is recorded with the
reason. Where shapes are given, each change is tried as well without what they most often fix.
"""

from dataclasses import replace

from harness.zoo.base import Inputs
from harness.zoo.candidate import Candidate
from harness.zoo.repair import Plan
from harness.zoo.sizes import FIRST, OTHERS, Sizes
from harness.zoo.trial import run, tensors


def resized(
    candidate: Candidate, plan: Plan, inputs: Inputs
) -> tuple[Inputs | None, str, dict[str, str]]:
    """The boldest other sizes that eager accepts, their label, and what is fixed and why."""
    fixed: dict[str, str] = {}
    for sizes in _others(candidate):
        label = _asked(sizes)
        try:
            other, _ = candidate.inputs(plan, sizes)
            label = label_of(inputs, other, sizes.batch)
            if label and label not in fixed:
                candidate.given.check_other(inputs, other)
                run(candidate.model, other)
                return other, label, fixed
        except Exception as error:  # noqa: BLE001  (a model refuses a size with whatever it likes)
            fixed[label] = " ".join(str(error).split())[:200]
    return None, "", fixed


def _others(candidate: Candidate) -> list[Sizes]:
    """The other sizes to try; with given shapes also those that keep lengths, batch, or both."""
    if not candidate.given:
        return list(OTHERS)
    tried = [*OTHERS, *(replace(each, text=FIRST.text, decoder=FIRST.decoder) for each in OTHERS)]
    tried += [replace(each, batch=FIRST.batch) for each in tried]
    return list(dict.fromkeys(tried))


def _asked(sizes: Sizes) -> str:
    """What was asked for, where the inputs could not even be made."""
    image = f", image {sizes.height}x{sizes.width}" if sizes.height else ""
    return f"batch {sizes.batch}, sequence {sizes.text}{image}"


_SIZED = (
    ("input_ids", -1, "sequence"),
    ("inputs_embeds", 1, "sequence"),
    ("decoder_input_ids", -1, "decoder"),
    ("pixel_values", -1, "width"),
    ("pixel_values", -2, "height"),
    ("pixel_values_videos", -1, "width"),
    ("input_values", -1, "samples"),
    ("input_features", 1, "frames"),
    ("input_features", 2, "frames"),
)
_PACKED = 2


def label_of(inputs: Inputs, other: Inputs, batch: int) -> str:
    """What differs between inputs, `batch 3, sequence 13`; empty if nothing does."""
    others = dict(tensors(other))
    changed = {
        name: (each.shape, others[name].shape)
        for name, each in tensors(inputs)
        if name in others and each.shape != others[name].shape
    }
    parts: dict[str, int] = {}
    if any(old[0] != new[0] == batch for old, new in changed.values()):
        parts["batch"] = batch
    for name, axis, word in _SIZED:
        old, new = changed.get(name, ((), ()))
        if name == "pixel_values" and len(old) == _PACKED:
            parts["patches"] = new[0]
        elif len(old) > abs(axis + (axis < 0)) and old[axis] != new[axis]:
            parts[word] = new[axis]
    if changed and not parts:
        parts = {name: new[0] for name, (_, new) in changed.items()}
    return ", ".join(f"{word} {size}" for word, size in parts.items())
