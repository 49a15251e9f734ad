"""Makes what fails smaller, for as long as it fails the same way. Pure: who asks, runs the trials.

Each pass proposes smaller subjects, the boldest first, and goes on from those that hold. Many small
changes are proposed at once, and halved where they don't hold together (delta debugging), so that
what doesn't matter costs one trial however much it is. Where in the model it fails, the traceback
says: of the parts on its way the innermost that fails alone is enough. Where it says nothing (a
converter or a runtime failed), parts are entered as long as one of them fails alone. Passes that
save most come first, for a budget may end the search anywhere; what is found until then holds.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from harness.reproduce.subject import Part, Subject, Tensor, mapped

#: whether a subject, which is the last one with that change, still fails the same way
Holds = Callable[[str, Subject], bool]
_Item = TypeVar("_Item")
#: configuration, flat
_Flat = dict[tuple[str, ...], Any]

_LINE = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
_LAYERS = re.compile(r".*(layers|n_layer|num_blocks|depth)")
_SPECIAL = re.compile(r".*token_(id|index|idx)|.*model_type|.*_type")
_MOST_PARTS = 8
_LEAST_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One trial of a search."""

    what: str
    #: whether it failed the same way
    held: bool
    seconds: float


def shrunk(subject: Subject, parts: Sequence[Part], traceback: str, holds: Holds) -> Subject:
    """The smallest subject that is found to hold; `parts` are those of what is exported."""
    if subject.other is None:
        subject = _better(subject, "static shapes", replace(subject, dynamic=False), holds)
    way = suspects(parts, traceback)
    subject = _first(subject, way, holds)
    subject = _one_layer(subject, holds)
    if not way:
        subject = _entered(subject, parts, holds)
    for change in (_fewer_inputs, _fewer_words, _shorter, _ones, _narrower):
        subject = change(subject, holds)
    return subject


def _better(subject: Subject, what: str, candidate: Subject, holds: Holds) -> Subject:
    return candidate if candidate != subject and holds(what, candidate) else subject


def _most(
    subject: Subject,
    items: Sequence[_Item],
    change: Callable[[Subject, Sequence[_Item]], Subject],
    told: Callable[[Sequence[_Item]], str],
    holds: Holds,
) -> Subject:
    """With as many of the items changed as hold together."""
    if not items:
        return subject
    candidate = change(subject, items)
    if candidate == subject or holds(told(items), candidate):
        return candidate
    if len(items) == 1:
        return subject
    half = len(items) // 2
    for some in (items[:half], items[half:]):
        subject = _most(subject, some, change, told, holds)
    return subject


# ── the part that fails ─────────────────────────────────────────────────────────────────────────
def _first(subject: Subject, parts: Sequence[Part], holds: Holds) -> Subject:
    """Only the first of the parts that fails alone."""
    for each in parts:
        candidate = replace(subject, part=each.path)
        if holds(f"only {each.path} ({each.class_name})", candidate):
            return candidate
    return subject


def _entered(subject: Subject, parts: Sequence[Part], holds: Holds) -> Subject:
    """From part to part within it while one of them fails alone; the largest is tried first."""
    while True:
        inner = sorted(within(parts, subject.part), key=lambda each: -each.parameters)
        entered = _first(subject, inner[:_MOST_PARTS], holds)
        if entered == subject:
            return subject
        subject = entered


def within(parts: Sequence[Part], path: str) -> list[Part]:
    """The parts that stand in that one, none of them in another of these; each class once."""
    start = f"{path}." if path else ""
    below = [each for each in parts if each.path.startswith(start)]
    paths = [each.path for each in below]
    nearest: dict[str, Part] = {}
    for each in below:
        if not any(each.path.startswith(f"{other}.") for other in paths):
            nearest.setdefault(each.class_name, each)
    return list(nearest.values())


def suspects(parts: Sequence[Part], traceback: str) -> list[Part]:
    """The parts that a traceback comes through, innermost first; of equal ones the first called."""
    lines = [(found["path"], int(found["line"])) for found in _LINE.finditer(traceback)]
    way = [each for each in parts if _wrote(each, lines)]
    first: dict[tuple[str, int], Part] = {}
    for each in way:
        first.setdefault((each.class_name, _depth(each)), each)
    return sorted(first.values(), key=_depth, reverse=True)[:_MOST_PARTS]


def _wrote(part: Part, lines: Iterable[tuple[str, int]]) -> bool:
    return any(path == part.file and part.first <= line <= part.last for path, line in lines)


def _depth(part: Part) -> int:
    return part.path.count(".")


# ── configuration ───────────────────────────────────────────────────────────────────────────────
def _one_layer(subject: Subject, holds: Holds) -> Subject:
    """One layer wherever there are several; of each kind the first is tried."""
    for path, count in _numbers(subject).items():
        if not _LAYERS.fullmatch(path[-1]) or count < 2:
            continue
        for index in _kinds(subject, path, count):
            candidate = _with(subject, _only_layer(subject, path, count, index))
            if holds(f"{'.'.join(path)} {count} → 1", candidate):
                subject = candidate
                break
    return subject


def _beside(subject: Subject, path: tuple[str, ...], count: int) -> _Flat:
    """The lists of one entry a layer that stand beside the number of layers."""
    return {
        other: value
        for other, value in flat(subject.configuration).items()
        if other[:-1] == path[:-1] and isinstance(value, list) and len(value) == count
    }


def _kinds(subject: Subject, path: tuple[str, ...], count: int) -> list[int]:
    rows = list(zip(*_beside(subject, path, count).values(), strict=True)) or [()]
    return sorted({repr(row): index for index, row in reversed(list(enumerate(rows)))}.values())


def _only_layer(subject: Subject, path: tuple[str, ...], count: int, index: int) -> _Flat:
    lists = _beside(subject, path, count).items()
    return {path: 1, **{other: [value[index]] for other, value in lists}}


def _narrower(subject: Subject, holds: Holds) -> Subject:
    """Widths halved, all at once so that they go on fitting each other, as often as it holds."""

    def change(subject: Subject, paths: Sequence[tuple[str, ...]]) -> Subject:
        sizes = _numbers(subject)
        return _with(subject, {path: sizes[path] // 2 for path in paths})

    sizes = _numbers(subject)
    while wide := [path for path, size in sizes.items() if _halves(size)]:
        subject = _most(subject, wide, change, _told("half"), holds)
        # What did not hold is not asked again.
        sizes = {
            path: size for path, size in _numbers(subject).items() if size < sizes.get(path, 0)
        }
    return subject


def _halves(size: int) -> bool:
    return size > _LEAST_WIDTH and size % 2 == 0


def _fewer_words(subject: Subject, holds: Holds) -> Subject:
    """Without whatever is no size: then the class's default holds."""
    sizes = _numbers(subject)
    words = [path for path in flat(subject.configuration) if path not in sizes]
    return _most(subject, words, _without, _told("default"), holds)


def _ones(subject: Subject, holds: Holds) -> Subject:
    """Heads, experts and whatever else is a small number: one of them."""
    small = [path for path, size in _numbers(subject).items() if 1 < size <= _LEAST_WIDTH]

    def change(subject: Subject, paths: Sequence[tuple[str, ...]]) -> Subject:
        return _with(subject, dict.fromkeys(paths, 1))

    return _most(subject, small, change, _told("1"), holds)


def _told(word: str) -> Callable[[Sequence[tuple[str, ...]]], str]:
    def tell(paths: Sequence[tuple[str, ...]]) -> str:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        return f"{', '.join('.'.join(path) for path in paths[:3])}{more} → {word}"

    return tell


def _numbers(subject: Subject) -> dict[tuple[str, ...], int]:
    """The sizes in a configuration: whole numbers that are no special tokens."""
    return {
        path: value
        for path, value in flat(subject.configuration).items()
        if type(value) is int and not _SPECIAL.fullmatch(path[-1])
    }


def flat(configuration: Mapping[str, Any], start: tuple[str, ...] = ()) -> _Flat:
    """Every value of a nest of dicts by its path."""
    found: _Flat = {}
    for key, value in configuration.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, (*start, key))
        else:
            found[*start, key] = value
    return found


def _nested(values: _Flat) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, value in values.items():
        at = made
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = value
    return made


def _with(subject: Subject, changes: _Flat) -> Subject:
    return replace(subject, configuration=_nested({**flat(subject.configuration), **changes}))


def _without(subject: Subject, paths: Sequence[tuple[str, ...]]) -> Subject:
    kept = {p: value for p, value in flat(subject.configuration).items() if p not in set(paths)}
    return replace(subject, configuration=_nested(kept))


# ── inputs ──────────────────────────────────────────────────────────────────────────────────────
def _fewer_inputs(subject: Subject, holds: Holds) -> Subject:
    def change(subject: Subject, names: Sequence[str]) -> Subject:
        left = {k: value for k, value in subject.inputs.items() if k not in names}
        other = subject.other and {k: v for k, v in subject.other.items() if k not in names}
        return replace(subject, inputs=left, other=other)

    def told(names: Sequence[str]) -> str:
        return f"without {', '.join(names)}"

    return _most(subject, list(subject.inputs), change, told, holds)


def _shorter(subject: Subject, holds: Holds) -> Subject:
    """A batch of one, and half the length as often as it holds; other sizes stay as they are."""
    for axis, word in ((0, "batch"), (1, "length")):
        size = max((each.shape[axis] for each in _tensors(subject) if _has(each, axis)), default=0)
        for smaller in _smaller(size, axis):
            candidate = replace(subject, inputs=mapped(subject.inputs, _cut(axis, size, smaller)))
            if not holds(f"{word} {size} → {smaller}", candidate):
                break
            subject, size = candidate, smaller
    return subject


def _smaller(size: int, axis: int) -> Iterator[int]:
    while size > 1:
        size = 1 if axis == 0 else size // 2
        yield size


def _has(each: Tensor, axis: int) -> bool:
    # The second axis is a length where there is nothing behind it: ids and masks.
    return len(each.shape) > axis and (axis == 0 or len(each.shape) == 2)


def _tensors(subject: Subject) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(subject.inputs, lambda each: found.append(each) or each)  # type: ignore[func-returns-value]  # it gathers
    return found


def _cut(axis: int, size: int, smaller: int) -> Callable[[Tensor], Tensor]:
    def cut(each: Tensor) -> Tensor:
        fits = _has(each, axis) and each.shape[axis] == size
        return each.cut(axis, smaller) if fits else each

    return cut
