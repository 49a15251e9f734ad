"""Commands in comments, as people type them.

- A command is the first line of a comment, and goes on while a line ends with a comma. What is
  quoted, or in a code block, or further below, is no command.
- Case doesn't matter, nor whether `run-slow`, `run slow` or `run_slow` is written, with a colon or
  without, with `export-matrix` before it or a slash.
- `run-slow` names model types, with or without `models/`, apart by commas or spaces.
- `run-export` is a SELECT, the same as everywhere.
- What nearly is a command is answered with the one that may be meant; other text is nobody's.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.cells import folded

_LONGEST = 4000
_WORDS = 200
_NEAR = 0.8
_NEAREST = 3
_HEAD = re.compile(r"^/?(?:@?export[ _-]?matrix\b[:\s]*)?", re.IGNORECASE)
_WORD = re.compile(r"[\w*?:/.\-\[\]!]+")
_MARKS = "`\"'()"


class Verb(StrEnum):
    """What can be asked for."""

    RUN_SLOW = "run-slow"
    RUN_EXPORT = "run-export"
    RERUN_FAILED = "rerun-failed"
    HELP = "help"


_SPELLED = {
    verb: re.compile(rf"\[?{verb.replace('-', '[ _-]?').replace('rerun', 're-?run')}\b\]?", re.I)
    for verb in Verb
}
#: those that mean something without `export-matrix` before them
_BARE = (Verb.RUN_SLOW, Verb.RUN_EXPORT, Verb.RERUN_FAILED)
_TAKE_WORDS = (Verb.RUN_SLOW, Verb.RUN_EXPORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks for."""

    verb: Verb
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misspelt:
    """What is nearly a command, or lacks what it is about."""

    typed: str
    meant: Verb | None


def read_command(body: str) -> Command | Misspelt | None:
    """The command of a comment; None where there is none."""
    line = _first_line(body[:_LONGEST])
    head = _HEAD.match(line)
    addressed = bool(head and head[0].strip("/@ "))
    rest = line[head.end() :] if head else line
    for verb, spelled in _SPELLED.items():
        found = spelled.match(rest)
        if found and (addressed or verb in _BARE):
            return _command(verb, rest[found.end() :])
    return _nearly(rest, addressed=addressed)


def _command(verb: Verb, rest: str) -> Command | Misspelt | None:
    if verb not in _TAKE_WORDS:
        # "Rerun failed again, why?" asks for nothing.
        return Command(verb=verb) if not rest.strip(" .!:\t") else None
    cleaned = rest.lstrip(" :\t").translate(str.maketrans(_MARKS, " " * len(_MARKS)))
    words = tuple(dict.fromkeys(_WORD.findall(cleaned.strip("[] "))))[:_WORDS]
    return Command(verb=verb, words=words) if words else Misspelt(typed=verb, meant=verb)


def _first_line(body: str) -> str:
    lines = iter(body.strip().splitlines())
    line = next(lines, "").strip()
    while line.endswith(","):
        following = next(lines, "").strip()
        if not following:
            break
        line = f"{line} {following}"
    return line.strip(_MARKS) if not line.startswith(("```", "~~~", ">")) else ""


def _nearly(rest: str, *, addressed: bool) -> Misspelt | None:
    typed = rest.partition(":")[0].strip() if ":" in rest or addressed else ""
    if not typed or len(typed) > 40:
        return None
    close = difflib.get_close_matches(folded(typed), list(Verb), n=1, cutoff=_NEAR)
    if not close and not addressed:
        return None
    return Misspelt(typed=typed, meant=Verb(close[0]) if close else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Model types that were named: those there are, and what is near the others."""

    known: tuple[str, ...]
    #: as typed -> the nearest there are
    unknown: dict[str, tuple[str, ...]]


def named_models(words: Sequence[str], there_are: Iterable[str]) -> Models:
    """The model types that are meant, in the order that they were named in."""
    by_name = {folded(name): name for name in there_are}
    known: list[str] = []
    unknown: dict[str, tuple[str, ...]] = {}
    for word in words:
        name = folded(word).removeprefix("models/").strip("/.:")
        if name in by_name:
            known.append(by_name[name])
        else:
            near = difflib.get_close_matches(name, by_name, n=_NEAREST)
            unknown[word] = tuple(by_name[each] for each in near)
    return Models(known=tuple(dict.fromkeys(known)), unknown=unknown)
