"""Runs one shard on this machine: a pytest-xdist invocation over a `*.cells` file.

The results file is the only thing that comes back. It is followed while pytest runs, so that a
caller sees each result as it arrives; what was written stays, whatever happens to pytest or to us.
What a caller is given is on disk: a machine that dies loses results that nobody was told of, the
last second's at most. The file is locked for as long as pytest or we may write it.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from harness.isolation.host import allowed
from harness.results import Result
from harness.terms import Terms, write_terms
from runner.durable import sync_folder
from runner.execute.shard import Shard

_POLL_S = 0.2
_GRACE_S = 20.0
#: characters of a line
_LONGEST = 16 * 2**20
_PYTESTS = ("PYTEST_", "COLUMNS", "NO_COLOR", "COVERAGE_")
# The cells' own settings: whatever pytest settings the working folder has are not theirs.
_INI = "[pytest]\nconsole_output_style = count\n"


def command(shard: Shard) -> list[str]:
    """The pytest command line of a shard; of xdist's schedulers, the grouping ones lose tests."""
    options = {
        "results": shard.results,
        "run": shard.run,
        "revision": shard.revision,
        "zoo": shard.zoo,
        "terms": shard.terms_file,
        "attempt": shard.attempt,
        "memory": shard.memory_mib,
        "revision-path": shard.revision_path,
        "dynamic-shapes": shard.shapes,
        "runner": os.getpid(),
        "notice": shard.notice,
    }
    given = [f"--matrix-{name}={value}" for name, value in options.items() if value is not None]
    given += ["--matrix-cold"] if shard.cold else []
    xdist = ["-n", str(shard.workers), "--dist", "load"]
    xdist += ["--max-worker-restart", str(len(shard.cells))]
    # Whatever else is installed for pytest takes seconds to import, and is not for cells.
    ours = ["--disable-plugin-autoload", "-p", "harness.plugin", "-p", "xdist.plugin"]
    ours += ["-p", "runner.execute.inside", "-p", "no:cacheprovider"]
    place = ["-c", str(shard.folder / "pytest.ini"), "--rootdir", str(shard.folder)]
    file = str(shard.folder / f"{shard.name}.cells")
    return [sys.executable, "-m", "pytest", file, *ours, *place, *xdist, *given, "--tb=short", "-q"]


def lay_out(shard: Shard) -> None:
    """Make the shard's folder and the files that it is run with."""
    shard.folder.mkdir(parents=True, exist_ok=True)
    (shard.folder / "pytest.ini").write_text(_INI)
    (shard.folder / f"{shard.name}.cells").write_text(
        "".join(f"{cell.id}\n" for cell in shard.cells)
    )
    write_terms(shard.terms_file, {cell: shard.terms.get(cell, Terms()) for cell in shard.cells})
    if shard.shapes:
        shard.shapes.write_text(shard.dynamic_shapes, encoding="utf-8")
    shard.results.touch()
    sync_folder(shard.folder)


def run_shard(shard: Shard) -> Iterator[Result]:
    """Run the shard, yielding each result as it is written.

    An interrupt stops pytest and is raised again; results so far are in the file. A shard without
    cells leaves nothing.
    """
    yield from map(Result.from_line, run_lines(shard))


def run_lines(shard: Shard) -> Iterator[str]:
    """The same, each result as it is spelled; what has no end yet is bounded."""
    if not shard.cells:
        return
    lay_out(shard)
    with shard.log.open("w") as log, shard.results.open(errors="replace") as results:
        fcntl.flock(results, fcntl.LOCK_EX)
        process = subprocess.Popen(  # noqa: S603  (our own command line, no shell)
            command(shard),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=allowed(os.environ, *_PYTESTS),  # noqa: TID251  (handed on: no token, no database)
            pass_fds=[results.fileno()],  # the lock, which is held while either of us lives
            start_new_session=True,  # a terminal's Ctrl-C reaches us alone: we stop it in order
        )
        try:
            yield from _follow(process, results)
        finally:
            _stop(process)
            shard.notice.unlink(missing_ok=True)


def _follow(process: subprocess.Popen[bytes], results: TextIO) -> Iterator[str]:
    partial = ""
    while True:
        ended = process.poll() is not None
        while read := results.read(_LONGEST):
            *lines, partial = (partial + read).split("\n")
            # A line that doesn't end within the bound is cut there, which makes it no result.
            partial = partial[:_LONGEST]
            if lines:
                os.fsync(results.fileno())
            yield from lines
        if ended:
            return
        time.sleep(_POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End pytest if it still runs; the zygote and its children end with it."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
