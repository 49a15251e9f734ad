"""SELECT: which cells are meant. One grammar for the command line, the API and the search box.

- A word with `/` is a glob over cell ids, filled up with `*` from the right: `llama/*/forward-*`.
- Any other bare word is a glob over model types and model classes: `llama`, `*ForCausalLM`.
- `key:value` compares one property with a glob; keys of `VERDICT_KEYS` speak of results, those of
  `GROUP_KEYS` of the failure group that a result is in, those of `RUN_KEYS` of its run.
- Words of one key are alternatives; different keys must all hold. All bare words are one key.
- A preset (`smoke`, `popular`, `all`) stands for its words.
Case doesn't matter, and `-` equals `_`: `deberta-v2` is `deberta_v2`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from harness.cells import Cell, folded
from harness.errors import SelectionError, nearest
from harness.results import Stage
from runner.core.families import family_of
from runner.core.presets import PRESETS
from runner.core.runs import CellVerdict, Verdict
from runner.core.triage import State

_BARE = ""

CELL_KEYS: Mapping[str, Callable[[Cell], tuple[str, ...]]] = {
    _BARE: lambda cell: (cell.id, cell.model_type, cell.model_class),
    "model": lambda cell: (cell.model_type,),
    "class": lambda cell: (cell.model_class,),
    "family": lambda cell: (family_of(cell.model_type),),
    "variant": lambda cell: (cell.variant,),
    "backend": lambda cell: (cell.backend,),
}
VERDICT_KEYS: Mapping[str, Callable[[CellVerdict], tuple[str, ...]]] = {
    "outcome": lambda found: (found.verdict,),
    "stage": lambda found: (found.stage or "",),
    "kind": lambda found: (found.kind or "",),
    "group": lambda found: (found.signature or "",),
}
#: what people say of a failure group, and whose it is; who is nobody's is `nobody`'s
GROUP_KEYS = ("state", "assignee", "owner")
NOBODY = "nobody"
#: what it ran on (`torch==2.13.0`, or a night's `torch-nightly`), and of what
RUN_KEYS = ("stack", "revision")
#: keys whose values are words of the glossary
VALUES = {
    "outcome": [word.value for word in Verdict],
    "stage": [word.value for word in Stage],
    "state": [word.value for word in State],
}
KEYS = [key for key in (*CELL_KEYS, *VERDICT_KEYS, *GROUP_KEYS, *RUN_KEYS) if key]


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed SELECT: for each key, the globs of which one must match."""

    text: str
    globs: Mapping[str, tuple[str, ...]]
    #: what was typed as such, and not by way of a preset: that must name something
    typed: Mapping[str, tuple[str, ...]]

    def names(self, key: str) -> bool:
        """Whether the selection says anything about that key, also inside a cell glob."""
        place = {"variant": 2, "backend": 3}.get(key)
        in_ids = place is not None and any(
            glob.split("/")[place] != "*" for glob in self.globs.get(_BARE, ()) if "/" in glob
        )
        return key in self.globs or in_ids

    @property
    def asks_results(self) -> bool:
        """Whether some word speaks of more than cells."""
        return any(key not in CELL_KEYS for key in self.globs)

    def cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of the cells that are meant; what is said of results is not asked here."""
        return [cell for cell in cells if self.matches_cell(cell)]

    def matches_cell(self, cell: Cell) -> bool:
        return all(
            _any_matches(values(cell), self.globs[key])
            for key, values in CELL_KEYS.items()
            if key in self.globs
        )

    def holds(self, told: Callable[[str], tuple[str, ...] | None]) -> bool | None:
        """Whether all words hold of what is told by key; None for what nobody knows."""
        unknown = False
        for key, globs in self.globs.items():
            values = told(key)
            if values is None:
                unknown = True
            elif not _any_matches(values, globs):
                return False
        return None if unknown else True


def parse_words(words: Sequence[str]) -> Selection:
    """Read a SELECT; no words mean the preset `smoke`. `SelectionError` names an unknown key."""
    spelled = [part for word in words for part in word.split()] or ["smoke"]
    typed = _globs(part for part in spelled if part.lower() not in PRESETS)
    presets = (atom for part in spelled for atom in PRESETS.get(part.lower(), ()))
    globs = _globs([*(part for part in spelled if part.lower() not in PRESETS), *presets])
    return Selection(" ".join(spelled), globs, typed)


def _globs(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    globs: dict[str, list[str]] = {}
    for key, glob in map(_atom, words):
        globs.setdefault(key, []).append(glob)
    return {key: tuple(found) for key, found in globs.items()}


def _atom(word: str) -> tuple[str, str]:
    key, colon, value = word.partition(":")
    if not colon:
        return _BARE, folded(_filled(word))
    if key.lower() not in KEYS:
        known = ", ".join(KEYS)
        raise SelectionError(
            f"unknown key {key!r} in {word!r}{nearest(key, KEYS)} (one of {known})"
        )
    if not value:
        raise SelectionError(f"{word!r} has no value, such as {key}:*")
    values = VALUES.get(key.lower())
    if values and not _any_matches(tuple(values), (folded(value),)):
        raise SelectionError(f"{word!r} names nothing{nearest(value, values)}")
    return key.lower(), folded(value)


def _filled(glob: str) -> str:
    """An id glob with all its four parts."""
    parts = glob.split("/")
    if len(parts) > 4:
        raise SelectionError(f"{glob!r} has more parts than model_type/ModelClass/variant/backend")
    return (
        glob
        if len(parts) == 1
        else "/".join([part or "*" for part in parts] + ["*"] * (4 - len(parts)))
    )


@lru_cache(maxsize=2**14)  # the cells of a run share most of what is asked
def _any_matches(values: tuple[str, ...], globs: tuple[str, ...]) -> bool:
    whole, pattern = _compiled(globs)
    plain = map(folded, values)
    return any(each in whole or (pattern and pattern.match(each)) for each in plain)


@lru_cache(maxsize=2**10)
def _compiled(globs: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """Those without a wildcard, and a pattern of the others: thousands may be asked for."""
    wild = [glob for glob in globs if is_wild(glob)]
    pattern = re.compile("|".join(map(translate, wild))) if wild else None
    return frozenset(globs).difference(wild), pattern


def is_wild(glob: str) -> bool:
    """Whether it means more than what is spelled like that."""
    return any(sign in glob for sign in "*?[")


def check_known(selection: Selection, cells: Iterable[Cell]) -> None:
    """`SelectionError` if some glob without a wildcard, or some part of an id, names nothing."""
    cells = list(cells)
    for key, values in CELL_KEYS.items():
        for glob in selection.typed.get(key, ()):
            if not any(_any_matches(values(cell), (glob,)) for cell in cells):
                known = {folded(value): value for cell in cells for value in values(cell)}
                raise SelectionError(_unknown(key, glob, known))


def _unknown(key: str, glob: str, known: Mapping[str, str]) -> str:
    """The message for a glob that matches nothing, naming the nearest part that exists."""
    if "/" in glob:
        names = {
            part: part_of for name, whole in known.items() for part, part_of in _parts(name, whole)
        }
        wrong = [part for part in glob.split("/") if "*" not in part and part not in names]
        glob, known = (wrong or [glob])[0], names
    return f"nothing is named {key}{':' if key else ''}{glob}{_hint(glob, known)}"


def _parts(name: str, whole: str) -> Iterable[tuple[str, str]]:
    return zip(name.split("/"), whole.split("/"), strict=True)


def _hint(glob: str, known: Mapping[str, str]) -> str:
    hint = nearest(glob, known)
    for name, spelled in known.items():
        hint = hint.replace(f"'{name}'", f"'{spelled}'")
    return hint
