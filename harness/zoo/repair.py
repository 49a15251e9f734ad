"""What to change when the library refuses: a plan of inputs, and the error that says what it lacks.

Tried in this order, each at most once a name:

1. a keyword that is not taken is dropped;
2. a parameter named by the message is added, or dropped if it is given already and is one too many;
3. a picture of a size that is not the model's gets the model's;
4. a parameter named by the line that failed is added, deepest frame first;
5. features laid out the other way round are transposed.
"""

import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_IMAGE = re.compile(r"\((\d+) ?[*x,] ?(\d+)\)? doesn't match model \(?(\d+) ?[*x,] ?(\d+)\)")
_CHOOSE_ONE = re.compile(r"both|exactly one|at the same time|only one|either", re.IGNORECASE)
_NAME = re.compile(r"[a-z_]\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which inputs are given, and what about them was learnt from refusals."""

    names: tuple[str, ...]
    dropped: frozenset[str] = frozenset()
    transposed: frozenset[str] = frozenset()
    image: tuple[int, int] | None = None
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
    named = [name for name in _NAME.findall(message) if name in makeable]
    given = [name for name in named if name in plan.names]
    if len(set(given)) > 1 and _CHOOSE_ONE.search(message):
        return plan.without(given[-1])
    for name in (*named, *_names_at_failure(error)):
        if name in makeable and name not in plan.names and name not in plan.dropped:
            return plan.adding(name)
    if plan.image is None and (size := _IMAGE.search(message)):
        return replace(
            plan,
            image=(int(size[3]), int(size[4])),
            repairs=(*plan.repairs, f"image {size[3]}x{size[4]}"),
        )
    if "input_features" in plan.names and not plan.transposed:
        return replace(
            plan,
            transposed=frozenset({"input_features"}),
            repairs=(*plan.repairs, "transposed input_features"),
        )
    return None


def _names_at_failure(error: Exception) -> Iterator[str]:
    """Names in the lines of model code that failed, deepest first."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "/models/" in frame.filename and frame.line and "self(" not in frame.line:
            yield from _NAME.findall(frame.line)
            if "None" in str(error):
                continue
            return
