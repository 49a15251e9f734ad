"""What every command prints with: a console, untrusted text made plain, progress on long work."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.results import Outcome, Result

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_PLAIN_EVERY_S = 10.0

#: outcome -> colour; the letter and the word stand beside it
COLOURS = {
    "pass": "green",
    "fail": "red",
    "crash": "magenta",
    "timeout": "yellow",
    "oom": "yellow",
    "skip": "blue",
    "error": "bright_black",
    "flaky": "cyan",
    "missing": "bright_black",
}


def as_json(value: object) -> None:
    """Print for scripts: indented JSON on stdout and nothing else there."""
    out.print(json.dumps(value, indent=2, default=str), markup=False, soft_wrap=True)


class Tell(Protocol):
    """Told of each result as it arrives."""

    def __call__(self, result: Result) -> None: ...


@contextmanager
def progress(total: int, *, quiet: bool) -> Iterator[Tell]:
    """A live bar on a terminal, a line every ten seconds elsewhere, nothing when quiet."""
    counts: Counter[Outcome] = Counter()
    if quiet:
        yield lambda result: None
    elif err.is_terminal:
        with _bar() as bar:
            shown = bar.add_task("", total=total, counts="")

            def advance(result: Result) -> None:
                counts[result.outcome] += result.attempt == 1
                bar.update(shown, advance=result.attempt == 1, counts=_coloured(counts))

            yield advance
    else:
        yield _Lines(total, counts).tell


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        TextColumn("· left"),
        TimeRemainingColumn(),
        console=err,
    )


def _coloured(counts: Counter[Outcome]) -> str:
    return " ".join(f"[{COLOURS[name]}]{count} {name}[/]" for name, count in counts.items())


class _Lines:
    """Progress where there is no terminal."""

    def __init__(self, total: int, counts: Counter[Outcome]) -> None:
        self._total, self._counts, self._said = total, counts, time.monotonic()

    def tell(self, result: Result) -> None:
        self._counts[result.outcome] += result.attempt == 1
        if time.monotonic() - self._said > _PLAIN_EVERY_S:
            self._said = time.monotonic()
            words = ", ".join(f"{count} {name}" for name, count in self._counts.items())
            err.print(f"{self._counts.total()}/{self._total} cells: {words}")


def listed(lines: Iterable[str]) -> None:
    """Print lines as they are: no markup, no wrapping."""
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
