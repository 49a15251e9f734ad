"""Takes in result files that were made where code of others ran: checked against the plan.

A file is refused whole if it isn't a plain file (a link may name anything) or is larger than its
plan can explain. Of the rest, lines that are not believed (`runner.core.foreign`) are left out and
counted; nothing is taken from a file's name.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import RecordError
from runner.core.foreign import LONGEST, Sieve
from runner.steps.plans import Plan
from runner.store import writes
from runner.store.engine import Engine
from runner.store.writes import Ingested

#: bytes of a result, on average: several times what the largest have
_USUAL = 128 * 2**10
_LEAST = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a file came to."""

    ingested: Ingested
    #: why -> lines that were left out
    refused: Counter[str]


def receive_file(engine: Engine, path: Path, plan: Plan) -> Received:
    """Add what is believed of a file; `RecordError` if the file itself is refused."""
    sieve = Sieve(plan.uid, frozenset(plan.cells))
    largest = max(_LEAST, _USUAL * len(plan.cells))
    done = writes.ingest_results(engine, sieve.through(_lines(path, largest)))
    return Received(ingested=done, refused=sieve.refused)


def _lines(path: Path, largest: int) -> Iterator[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise RecordError(f"can't read {path}: {error.strerror}") from None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as lines:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise RecordError(f"{path} is no plain file")
        if found.st_size > largest:
            raise RecordError(f"{path} is larger than its plan explains: {found.st_size:,} bytes")
        while line := lines.readline(LONGEST + 2):
            if line.strip():
                yield line.rstrip("\n")
