"""What to change when the library refuses: a plan of inputs, and the error that says what it lacks.

Tried in this order, each at most once a name:

1. a keyword that is not taken is dropped;
2. placeholders that were too few are counted as the message does;
3. a parameter named by the message is added, or dropped if it is given already and is one too many;
4. a picture of a size that is not the model's gets the model's;
5. a parameter named by the line that failed is added, deepest frame first;
6. several pictures a row, where one is not enough;
7. features laid out the other way round are transposed;
8. what the library can derive itself is left to it, and at last pictures and sounds are left out.
"""

import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.zoo.sizes import FIRST

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_IMAGE = re.compile(r"\((\d+) ?[*x,] ?(\d+)\)? doesn't match model \(?(\d+) ?[*x,] ?(\d+)\)")
_FEATURES = re.compile(
    r"(image|video|audio)\w* features and .*do(?:es)? not match.*features:? ?(\d+)", re.I
)
_RANK = re.compile(r"not enough values to unpack|Dimension out of range|too many indices")
_CHOOSE_ONE = re.compile(r"both|exactly one|at the same time|only one|either", re.IGNORECASE)
#: what a text is about; a model that refuses it is tried on its text alone
MEDIA = frozenset(
    {"pixel_values", "pixel_values_videos", "input_features", "input_values", "image_grid_thw"}
)
_NAME = re.compile(r"[a-z_]\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which inputs are given, and what about them was learnt from refusals."""

    names: tuple[str, ...]
    dropped: frozenset[str] = frozenset()
    transposed: frozenset[str] = frozenset()
    image: tuple[int, int] | None = None
    #: pictures a row, where a model takes several
    images: int = 0
    #: placeholders a row, where the model can't be asked for them
    features: Mapping[str, int] = field(default_factory=dict)
    repairs: tuple[str, ...] = field(default=())

    def adding(self, name: str) -> "Plan":
        return replace(self, names=(*self.names, name), repairs=(*self.repairs, f"added {name}"))

    def without(self, name: str) -> "Plan":
        return replace(
            self,
            names=tuple(each for each in self.names if each != name),
            dropped=self.dropped | {name},
            repairs=(*self.repairs, f"dropped {name}"),
        )


def repaired(plan: Plan, error: Exception, makeable: Mapping[str, object]) -> Plan | None:
    """The next plan to try after this error; None if it says nothing that helps."""
    message = str(error)
    if (unexpected := _UNEXPECTED.search(message)) and unexpected[1] in plan.names:
        return plan.without(unexpected[1])
    if (features := _FEATURES.search(message)) and not plan.features:
        return _counting(plan, features[1].lower(), int(features[2]))
    named = [name for name in _NAME.findall(message) if name in makeable]
    given = [name for name in named if name in plan.names]
    if len(set(given)) > 1 and _CHOOSE_ONE.search(message):
        return plan.without(given[-1])
    embedded = {"inputs_embeds"} if "input_ids" in plan.names else set()
    for name in (*named, *(each for each in _names_at_failure(error) if each not in embedded)):
        if name in makeable and name not in plan.names and name not in plan.dropped:
            return plan.adding(name)
    if plan.image is None and (size := _IMAGE.search(message)):
        return replace(
            plan,
            image=(int(size[3]), int(size[4])),
            repairs=(*plan.repairs, f"image {size[3]}x{size[4]}"),
        )
    return _guess(plan, message)


def _counting(plan: Plan, kind: str, features: int) -> Plan:
    each = features // FIRST.batch
    repairs = (*plan.repairs, f"{each} {kind} placeholders a row")
    return replace(plan, features={kind: each}, repairs=repairs)


def _guess(plan: Plan, message: str) -> Plan | None:
    """What helps although the message doesn't name it."""
    if "pixel_values" in plan.names and not plan.images and _RANK.search(message):
        return replace(plan, images=2, repairs=(*plan.repairs, "two pictures a row"))
    if "input_features" in plan.names and not plan.transposed:
        return replace(
            plan,
            transposed=frozenset({"input_features"}),
            repairs=(*plan.repairs, "transposed input_features"),
        )
    if "decoder_input_ids" in plan.names and "input_ids" in plan.names:
        return plan.without("decoder_input_ids")
    media = [name for name in plan.names if name in MEDIA]
    if media and len(media) < len(plan.names) and "input_ids" in plan.names:
        return plan.without(media[0])
    return None


def _names_at_failure(error: Exception) -> Iterator[str]:
    """Names in the lines of model code that failed, deepest first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "/models/" in frame.filename and frame.line and "self(" not in frame.line:
            yield from _NAME.findall(frame.line)
            if "None" in str(error):
                continue
            return
