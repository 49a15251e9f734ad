"""Runs a shard whose code nobody has read: what it leaves is checked before it is taken.

pytest writes into a folder of its own. Lines of its results file are read as they come, and those
that are believed (`runner.core.foreign`) are written into the shard's results file, each cell once:
that file holds nothing else, so that a resume trusts it. What isn't believed is counted in the log.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

from harness.results import Result
from runner.core.foreign import Sieve
from runner.execute.local import lay_out, run_lines
from runner.execute.shard import Shard


def run_apart(shard: Shard) -> Iterator[Result]:
    """An executor: its results are what was asked for, and no more."""
    if not shard.cells:
        return
    lay_out(shard)
    inside = replace(shard, folder=shard.folder / f"{shard.name}.apart")
    sieve = Sieve(shard.run, frozenset(shard.cells), (shard.attempt,))
    with shard.results.open("a", encoding="utf-8") as results:
        fcntl.flock(results, fcntl.LOCK_EX)
        for found in sieve.through(run_lines(inside)):
            results.write(f"{found.to_line()}\n")
            results.flush()
            os.fsync(results.fileno())
            yield found
    told = [f"{count} lines were not believed: {why}\n" for why, count in sieve.refused.items()]
    log = inside.log.read_bytes()[-(2**20) :] if not inside.log.is_symlink() else b""
    shard.log.write_bytes(log + "".join(told).encode())
    shutil.rmtree(inside.folder, ignore_errors=True)
