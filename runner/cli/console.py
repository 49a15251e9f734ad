"""What every command prints with: a console, untrusted text made plain, progress on long work."""

import json
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.core.plain import plain
from runner.core.progress import in_a_line, pace, roughly
from runner.core.runs import Progress
from runner.steps.intake import OnProgress

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
    told = json.dumps(value, indent=2, default=str)
    # No line of it begins with a command, but one may be in a text; so it is the same text.
    out.print(told.replace("##[", "#\\u0023["), markup=False, soft_wrap=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[OnProgress]:
    """A live picture on a terminal, a line every ten seconds elsewhere, nothing when quiet."""
    if quiet:
        yield lambda told: None
    elif err.is_interactive and err.file.isatty():  # Rich takes a CI's log for a terminal
        began = time.monotonic()
        with Live(console=err, auto_refresh=False, redirect_stdout=False) as live:
            err.show_cursor()  # or it would stay hidden after a kill
            yield lambda told: live.update(
                picture(told, elapsed_s=time.monotonic() - began), refresh=True
            )
    else:
        yield _Lines().tell


def picture(told: Progress, *, elapsed_s: float) -> RenderableType:
    """How a run goes, as wide as the terminal: the bar, the numbers, and the slowest cells."""
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(no_wrap=True)
    bar.add_row(
        ProgressBar(total=max(1, told.expected), completed=told.done),
        f"{told.done}/{told.expected} cells",
    )
    counts = [(f"{count} {name} ", COLOURS[name]) for name, count in told.verdicts.items()]
    rest = " · ".join(part for part in (pace(told), f"{roughly(elapsed_s)} so far") if part)
    numbers = Text.assemble(*counts, ("· " if counts else "") + rest, overflow="fold")
    cells = Table.grid(padding=(0, 1), expand=True)
    cells.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    cells.add_column(no_wrap=True)
    cells.add_column(no_wrap=True, justify="right")
    for each in told.running:
        doing = ("again, " if each.attempt > 1 else "") + (each.stage or "starting")
        cells.add_row(Text(plain(each.cell)), doing, roughly(each.seconds))
    return Group(bar, numbers, cells)


class _Lines:
    """Progress where there is no terminal."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def tell(self, told: Progress) -> None:
        if time.monotonic() - self._said >= _PLAIN_EVERY_S:
            self._said = time.monotonic()
            err.print(plain(in_a_line(told)), markup=False, soft_wrap=True)


def listed(lines: Iterable[str]) -> None:
    """Print lines as they are: no markup, no wrapping."""
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def interruptible() -> None:
    """A service manager's stop, or a closed terminal, is an interrupt like a reader's Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, signal.default_int_handler)
