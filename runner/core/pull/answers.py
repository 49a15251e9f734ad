"""The comments that answer commands: each is marked with the comment that it answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runner.core.pull.commands import Misspelt, Verb
from runner.core.pull.quoting import quoted

_SHOWN = 50
HELP = """\
| first line of a comment | does |
|---|---|
| `run-slow: bert, llama` | runs all exports of these models, on this PR and on its base |
| `run-export: llama backend:onnx variant:*-dynamic` | runs the exports that a SELECT means |
| `rerun-failed` | runs again what the last report told as lost |
| `export-matrix help` | this |

Listed people and teams can ask, on open pull requests, for the commit that they saw.
"""


def marker(comment: int) -> str:
    """What marks the answer to a comment."""
    return f"<!-- export-matrix:answer {comment} -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What will run, for a command."""

    verb: Verb
    commit: str
    #: of `run-slow`
    models: Sequence[str] = ()
    #: as typed -> the nearest there are
    unknown: Mapping[str, Sequence[str]]
    #: of `run-export` and `rerun-failed`
    selection: str = ""
    #: how many cells it means
    cells: int = 0
    #: why not all of them run
    capped: str = ""
    #: address where to look
    link: str | None = None


def accepted(comment: int, told: Accepted) -> str:
    """The acknowledgement, in the words that reviewers know."""
    return "\n".join([marker(comment), *_accepted(told)]) + "\n"


def _accepted(told: Accepted) -> Iterator[str]:
    if told.link:
        yield f"[Workflow Run ⚙️]({told.link})"
        yield ""
    yield f"This comment contains {told.verb}, running the specified jobs:"
    yield ""
    if told.verb is Verb.RUN_SLOW:
        named = [f"models/{name}" for name in told.models[:_SHOWN]]
        yield f"models: {quoted(json.dumps(named), length=4000)}"
        yield "quantizations: `[]`"
        if len(told.models) > _SHOWN:
            yield f"and {len(told.models) - _SHOWN} models more"
    else:
        yield f"exports: {quoted(told.selection, length=1000)}"
    yield ""
    counted = "1 export" if told.cells == 1 else f"{told.cells:,} exports"
    yield f"{counted} of {quoted(told.commit[:12])}. {told.capped}".rstrip()
    yield from _unknown(told.unknown)


def nothing_known(comment: int, unknown: Mapping[str, Sequence[str]]) -> str:
    """Where a command names no model type that there is."""
    told = ["Nothing is run: no model of that name.", *_unknown(unknown)]
    return "\n".join([marker(comment), *told]) + "\n"


def _unknown(unknown: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if unknown:
        yield ""
    for name, near in list(unknown.items())[:_SHOWN]:
        meant = f"; nearest: {', '.join(map(quoted, near))}" if near else ""
        yield f"- there is no {quoted(name, length=60)}{meant}"
    if len(unknown) > _SHOWN:
        yield f"- and {len(unknown) - _SHOWN} names more"


def refused(comment: int, why: str) -> str:
    """Why nothing is run."""
    return f"{marker(comment)}\nNothing is run: {why}.\n"


def wrong(comment: int, message: str) -> str:
    """What can't be run as it was asked for; the message is one of ours that quotes theirs."""
    return f"{marker(comment)}\nNothing is run: {quoted(message, length=600)}\n"


def misspelt(comment: int, found: Misspelt) -> str:
    """What may have been meant."""
    if found.meant is not None and found.typed == found.meant:
        return f"{marker(comment)}\n{quoted(found.meant)} of what?\n\n{HELP}"
    meant = f"; is {quoted(found.meant)} meant?" if found.meant else ""
    typed = quoted(found.typed, length=60)
    return f"{marker(comment)}\nThere is no command {typed}{meant}\n\n{HELP}"


def helped(comment: int) -> str:
    return f"{marker(comment)}\n{HELP}"
