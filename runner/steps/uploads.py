"""Takes in a shard's results that a project sent: whole or not at all, and as often as it is sent.

Who has a token is believed as far as its runs go: every line must be of the run in the address.
"""

import zlib
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, Any

from harness.errors import RecordError
from runner.core.access import Scope
from runner.core.label import label
from runner.store import writes
from runner.store.engine import Engine
from runner.store.lines import results_in
from runner.store.tokens import token_of
from runner.store.writes import Ingested

#: bytes that are taken, as they come and as they unpack
LARGEST_SENT = 64 * 2**20
LARGEST_UNPACKED = 512 * 2**20
_CHUNK = 2**20


class Allowed(Enum):
    """Whether a sender may send a run's results."""

    YES = 200
    UNKNOWN = 401
    ANOTHER_RUN = 403


class TooLargeError(RecordError):
    """More than is taken."""


def may_send(engine: Engine, authorization: str, run: str) -> Allowed:
    """Asked before a byte of the body is read."""
    scheme, _, secret = authorization.partition(" ")
    token = token_of(engine, secret.strip()) if scheme.lower() == "bearer" else None
    if token is None or token.scope is not Scope.RESULTS:
        return Allowed.UNKNOWN
    return Allowed.YES if token.allows(run) else Allowed.ANOTHER_RUN


@dataclass(slots=True)
class Unpacking:
    """A body on its way into a file, unpacked if it is gzip, never more than is taken."""

    out: IO[bytes]
    packed: bool
    sent: int = 0
    unpacked: int = 0
    _gzip: Any = field(default_factory=lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))

    def take(self, part: bytes) -> None:
        self.sent += len(part)
        if self.sent > LARGEST_SENT:
            raise TooLargeError(f"over {LARGEST_SENT // 2**20} MiB are not taken")
        if not self.packed:
            self._keep(part)
            return
        try:
            while part:
                self._keep(self._gzip.decompress(part, _CHUNK))
                part = self._gzip.unconsumed_tail
                if self._gzip.unused_data:
                    raise RecordError("the body goes on behind its gzip")
        except zlib.error:
            raise RecordError("the body is no gzip") from None

    def end(self) -> None:
        """`RecordError` if the body broke off."""
        if self.packed and not self._gzip.eof:
            raise RecordError("the gzip broke off")
        self.out.flush()

    def _keep(self, content: bytes) -> None:
        self.unpacked += len(content)
        if self.unpacked > LARGEST_UNPACKED:
            raise TooLargeError(f"over {LARGEST_UNPACKED // 2**20} MiB unpacked are not taken")
        self.out.write(content)


def take_in(engine: Engine, file: Path, run: str) -> Ingested:
    """Add the file's results; `RecordError` if a line is none, or of another run."""
    for number, found in enumerate(results_in(file), 1):
        if found.run != run:
            raise RecordError(f"line {number} is of run {found.run!r}, not of {run!r}")
    return writes.ingest_file(engine, file, label=label)
