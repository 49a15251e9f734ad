"""A table for other programs: named columns of one type each, and rows as they come.

As CSV (RFC 4180) a text that a spreadsheet would take for a formula gets an apostrophe before it,
which spreadsheets show as the text itself (OWASP, CSV injection). Numbers stay numbers. Some take
lines apart at semicolons or tabs, and know no quotes that do not begin a cell: what would begin one
there is a formula too.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

from runner.core.plain import storable

Value = str | int | float | bool | datetime | None
# the last four are the first, full-width: some spreadsheets take them for the same
_FORMULA = re.compile("^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[=+@\uff1d\uff0b\uff0d\uff20-])")
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table."""

    name: str
    #: name -> type of its values, which may also be None
    columns: dict[str, type]
    rows: Iterable[Sequence[Value]]


def as_csv(table: Table) -> Iterator[str]:
    """Its lines, some at once."""
    names, kinds = tuple(table.columns), tuple(table.columns.values())
    yield _written([names], [str] * len(names))
    rows = iter(table.rows)
    while part := list(islice(rows, _AT_ONCE)):
        yield _written(part, kinds)


def _written(rows: Iterable[Sequence[Value]], kinds: Sequence[type]) -> str:
    out = io.StringIO()
    # By column: to ask each of two hundred thousand values what it is takes longest of all.
    columns = zip(*rows, strict=True)
    told = [
        [None if value is None else _TOLD[kind](value) for value in column]
        if kind in _TOLD
        else column
        for kind, column in zip(kinds, columns, strict=True)
    ]
    csv.writer(out).writerows(zip(*told, strict=True))
    return out.getvalue()


@lru_cache(maxsize=4096)  # most texts of a table come again and again
def _text(value: str) -> str:
    return _FORMULA.sub("'", storable(value))


#: how values of a column are written; numbers are written as they are
_TOLD: dict[type, Callable[[Any], str]] = {str: _text, datetime: datetime.isoformat}
