"""Reads a file of known failures; `runner/known_failures.toml` opens with how to write one.

Strict: a row that is wrong is an error that names the file and the row, so that no entry is
believed to hold that doesn't.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any

from harness.cells import Variant, folded
from harness.errors import KnownFailureError, SelectionError, nearest
from harness.results import Outcome, Stage
from runner.core.judge import selected
from runner.core.known import KnownFailure
from runner.core.select import CELL_KEYS

_REQUIRED = ("cells", "reason", "link", "added_on", "expires_on")
_OPTIONAL = ("outcome", "stage", "kind")
_DATES = ("added_on", "expires_on")
_ENUMS: Mapping[str, Sequence[StrEnum]] = {
    "outcome": [Outcome.FAIL, Outcome.CRASH, Outcome.TIMEOUT, Outcome.OOM],
    "stage": list(Stage),
}
_HEADER = re.compile(r"\s*\[\[\s*known\s*\]\]")


def read_known(text: str, *, file: str) -> tuple[KnownFailure, ...]:
    """The rows of a file, in order; `KnownFailureError` for one that is wrong."""
    try:
        record = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnownFailureError(f"{file}: not TOML: {error}") from None
    other = [key for key in record if key != "known"]
    rows = record.get("known", [])
    if other or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise KnownFailureError(f"{file}: write rows as [[known]], and nothing else")
    ranges = list(_ranges(text))
    if len(ranges) != len(rows):
        raise KnownFailureError(f"{file}: each row begins with [[known]] on a line of its own")
    return tuple(
        _row(row, file, first, last) for row, (first, last) in zip(rows, ranges, strict=True)
    )


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    """First and last line of each row."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines, 1) if _HEADER.match(line)]
    for first, following in pairwise([*starts, len(lines) + 1]):
        said = (n for n in range(following - 1, first - 1, -1) if _says(lines[n - 1]))
        yield first, next(said, first)


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _row(row: Mapping[str, Any], file: str, first: int, last: int) -> KnownFailure:
    problem = next(_problems(row), None)
    if problem is not None:
        raise KnownFailureError(f"{file}:{first}: {problem}")
    given = dict(row)
    for key, kind in (("outcome", Outcome), ("stage", Stage)):
        given[key] = kind(row[key]) if key in row else None
    return KnownFailure(**given, file=file, line=first, last_line=last)


def _problems(row: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a row, the first thing first."""
    known = [*_REQUIRED, *_OPTIONAL]
    yield from (f"unknown key {key!r}{nearest(key, known)}" for key in row if key not in known)
    yield from (f"{key} is missing" for key in _REQUIRED if key not in row)
    for key, value in row.items():
        if type(value) is not (date if key in _DATES else str):
            yield f"{key} is not {'a date such as 2026-11-25' if key in _DATES else 'a text'}"
        elif isinstance(value, str) and not value.strip():
            yield f"{key} is empty"
    yield from _wrong_words(row)
    if not row["link"].startswith(("https://", "http://")):
        yield "link is not the address of an issue"
    if row["expires_on"] <= row["added_on"]:
        yield "expires_on is not after added_on"
    yield from _wrong_cells(row["cells"])


def _wrong_words(row: Mapping[str, Any]) -> Iterator[str]:
    for key, members in _ENUMS.items():
        words = [member.value for member in members]
        if key in row and row[key] not in words:
            yield (
                f"unknown {key} {row[key]!r}{nearest(row[key], words)} (one of {', '.join(words)})"
            )


def _wrong_cells(text: str) -> Iterator[str]:
    row = KnownFailure(cells=text, reason="", file="", line=0, last_line=0)
    try:
        selection = selected(row)
    except SelectionError as error:
        yield f"cells: {error}"
        return
    verdict_keys = [key for key in selection.globs if key not in CELL_KEYS]
    if verdict_keys:
        yield f"cells: {verdict_keys[0]}: says what came of a cell, not which is meant"
    for glob in selection.globs.get("", ()):
        variant = glob.split("/")[2] if "/" in glob else "*"
        if not any(fnmatchcase(folded(each), variant) for each in Variant):
            yield f"cells: no variant is {variant!r}{nearest(variant, list(Variant))}"
