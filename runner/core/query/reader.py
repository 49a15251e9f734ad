"""Reads a query, and says of one that can't be read which characters are wrong."""

import re
from collections.abc import Iterator, Sequence

from harness.cells import folded
from harness.errors import SelectionError, nearest
from runner.core.query.nodes import (
    NUMBERS,
    STATES,
    Every,
    Node,
    Not,
    Number,
    Past,
    Plain,
    Query,
    Sibling,
    Some,
    Standing,
)
from runner.core.select import KEYS, VALUES, Selection, is_wild, parse_words

_UNITS = {
    "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0,
    "b": 1.0, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30,
}  # fmt: skip
_COMPARISON = re.compile(r"(?P<key>\w+)(?P<how>[<>]=?)(?P<number>[0-9.e+-]+)(?P<unit>[a-z]*)", re.I)
_TOKEN = re.compile(r"\s*(?P<word>seq\((?P<seq>[^()]*)\)|[()]|[^\s()]+)", re.I)
OPERATORS = ("and", "or", "not", "(", ")")
#: parentheses and `not`s inside one another; deeper ones would exhaust Python's stack
_DEEPEST = 50
#: conditions of a query, those of them that ask what became of each cell in many runs, and words
#: that each cell is held against one by one
_MOST, _MOST_PAST, _MOST_WILD = 100, 8, 1000


class QueryError(SelectionError):
    """A query that can't be read, and the characters of it that are wrong."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(f"{message} (at character {start + 1})")
        self.start, self.end = start, end


def parse(text: str) -> Query:
    """Read a query; none means the preset `smoke`. `QueryError` names the place."""
    reader = _Reader(text)
    node = reader.either() if text.strip() else Plain(parse_words([]))
    reader.end()
    leaves = tuple(_leaves(node))
    past = [each for each in leaves if isinstance(each, Past)]
    globs = (each.selection.globs for each in leaves if isinstance(each, Plain))
    wild = [glob for told in globs for each in told.values() for glob in filter(is_wild, each)]
    for found, most, what in (
        (leaves, _MOST, "conditions"),
        (past, _MOST_PAST, "`seq(…)`"),
        (wild, _MOST_WILD, "words with wildcards"),
    ):
        if len(found) > most:
            raise QueryError(f"more than {most} {what}: ask in several searches", 0, len(text))
    return Query(text.strip(), node, leaves)


def _leaves(node: Node) -> Iterator[Node]:
    match node:
        case Not(part):
            yield from _leaves(part)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _leaves(part)
        case _:
            yield node


class _Reader:
    """Reads one query from the left to the right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_TOKEN.finditer(text))
        self._at = 0
        self._depth = 0

    def _next(self) -> str:
        """The token that comes, an operator in small letters; empty at the end."""
        if self._at >= len(self._tokens):
            return ""
        word = self._tokens[self._at]["word"]
        return word.lower() if word.lower() in OPERATORS else word

    def _wrong(self, message: str) -> QueryError:
        if self._at >= len(self._tokens):
            return QueryError(message, len(self._text.rstrip()), len(self._text))
        return QueryError(message, *self._tokens[self._at].span("word"))

    def end(self) -> None:
        if self._next():
            raise self._wrong("this parenthesis closes nothing")

    def either(self) -> Node:
        parts = [self._both()]
        while self._next() == "or":
            self._at += 1
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _both(self) -> Node:
        parts = [self._side_by_side()]
        while self._next() == "and":
            self._at += 1
            parts.append(self._side_by_side())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _side_by_side(self) -> Node:
        """Words up to the next operator: those that SELECT knows are one, the others all hold."""
        words: list[tuple[str, int, int]] = []
        others: list[Node] = []
        while self._next() not in ("", "and", "or", ")"):
            if self._next() in ("not", "("):
                others.append(self._nested())
            elif special := self._special():
                others.append(special)
            else:
                words.append((self._next(), *self._tokens[self._at].span("word")))
                self._at += 1
        parts = [*([Plain(_selection(words))] if words else []), *others]
        if not parts:
            raise self._wrong("a word is missing here")
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _nested(self) -> Node:
        """What `not` or a parenthesis begins."""
        if self._depth == _DEEPEST:
            raise self._wrong(f"more than {_DEEPEST} parentheses or `not`s inside one another")
        self._depth += 1
        found = self._negated() if self._next() == "not" else self._parenthesis()
        self._depth -= 1
        return found

    def _parenthesis(self) -> Node:
        self._at += 1
        found = self.either()
        if self._next() != ")":
            raise self._wrong("a closing parenthesis is missing here")
        self._at += 1
        return found

    def _negated(self) -> Node:
        self._at += 1
        return Not(self._one())

    def _one(self) -> Node:
        """What `not` takes."""
        if self._next() in ("not", "("):
            return self._nested()
        if self._next() in ("", "and", "or", ")"):
            raise self._wrong("a word is missing after `not`")
        if special := self._special():
            return special
        word = (self._next(), *self._tokens[self._at].span("word"))
        self._at += 1
        return Plain(_selection([word]))

    def _special(self) -> Node | None:
        """A word that SELECT does not know, if one comes."""
        token = self._tokens[self._at]
        try:
            found = _sequence(token["seq"]) if token["seq"] is not None else _word(token["word"])
        except SelectionError as error:
            raise self._wrong(str(error)) from None
        self._at += found is not None
        return found


def _selection(words: Sequence[tuple[str, int, int]]) -> Selection:
    for word, start, end in words:  # one by one, to know which is wrong
        try:
            parse_words([word])
        except SelectionError as error:
            raise QueryError(str(error), start, end) from None
    return parse_words([word for word, _, _ in words])


def _word(word: str) -> Node | None:
    if found := _COMPARISON.fullmatch(word):
        return _number(found)
    key, colon, value = (part.lower() for part in word.partition(":"))
    if key == "is" and colon:
        if folded(value) not in STATES:
            raise SelectionError(f"{word!r} is no way to stand{nearest(value, STATES)}")
        return Standing(folded(value))
    verdicts = list(map(folded, VALUES["outcome"]))
    if colon and key not in KEYS and folded(value) in verdicts and not nearest(key, KEYS):
        return Sibling(key, folded(value))
    return None


def _number(found: re.Match[str]) -> Number:
    key, unit = found["key"].lower(), found["unit"].lower()
    if key not in NUMBERS:
        raise SelectionError(f"{key!r} has no number{nearest(key, NUMBERS)}")
    if unit not in _UNITS:
        raise SelectionError(f"unknown unit {found['unit']!r} (one of s, m, h, KiB, MiB, GiB)")
    try:
        return Number(key, found["how"], float(found["number"]) * _UNITS[unit])
    except ValueError:
        raise SelectionError(f"{found['number']!r} is no number") from None


def _sequence(text: str) -> Past:
    asked = tuple(folded(word) for word in text.split())
    known = list(map(folded, VALUES["outcome"]))
    if not asked:
        raise SelectionError("a sequence names outcomes, such as seq(pass !pass)")
    for word in asked:
        if word.lstrip("!") not in known:
            raise SelectionError(f"no outcome is {word!r}{nearest(word.lstrip('!'), known)}")
    return Past(asked)
