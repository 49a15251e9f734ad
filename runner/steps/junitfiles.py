"""Takes JUnit XML of other suites in, as results of a run."""

from pathlib import Path

from harness.errors import MatrixError, RecordError
from runner.core.label import label
from runner.core.report.junit_read import read_junit
from runner.store import writes
from runner.store.engine import Engine
from runner.store.writes import Ingested

_LARGEST_BYTES = 256 * 2**20


def ingest_junit(
    engine: Engine, file: Path, *, run: str | None, revision: str | None
) -> tuple[Ingested, int]:
    """Add a file's results; also how many of its tests name no cell.

    The file's own properties say of which run and revision it is, unless they are given.
    """
    try:
        with file.open("rb") as content:
            text = content.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise MatrixError(f"can't read {file}: {error.strerror}") from None
    if len(text) > _LARGEST_BYTES:
        raise RecordError(f"{file}: over {_LARGEST_BYTES // 2**20} MiB")
    try:
        found = read_junit(text.decode(errors="replace"))
    except RecordError as error:
        raise RecordError(f"{file}: {error}") from None
    run, revision = run or found.facts.get("run"), revision or found.facts.get("revision")
    if not run or not revision:
        raise MatrixError(
            f"{file} doesn't say of which run it is; say it with --run NAME --revision VERSION"
        )
    parts = (name.partition("stack.") for name in found.facts)
    stack = {name: found.facts[f"stack.{name}"] for _, mark, name in parts if mark}
    made = [label(each.replace(run=run, revision=revision, stack=stack)) for each in found.results]
    return writes.ingest_results(engine, made), found.others
