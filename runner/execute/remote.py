"""What runs on another machine: a piece of a shard, by the same `run_shard`, in a private folder.

A machine whose stack or whose copy of this project differs from the runner's is refused before
anything runs: results must not be told of a stack that they were not made on. What only the runner
has (a revision's sources, a user's own models) comes along as a tar file.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import harness
import runner
from harness.isolation.guard import clear, private_folder
from harness.stack import stack
from runner.execute.local import run_shard
from runner.execute.shard import Shard

_LOG_TAIL = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A machine that can't run the piece."""

    machine: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The end of what pytest printed, once it has ended."""

    machine: str
    text: str


#: what a piece sends back: result lines as they come, then its log; or a refusal alone
Sent = str | Refusal | Log


def expectations(shard: Shard) -> dict[str, str]:
    """What a machine must have to run the shard: the stack's versions, and this very code."""
    versions = stack()
    if shard.revision_path:
        del versions["transformers"]  # the sources come along
    return versions | {"export-matrix": _project()}


def run_piece(
    shard: Shard, expected: Mapping[str, str], brought: bytes, machine: str
) -> Iterator[Sent]:
    """Run the piece here; when it is stopped, nothing of it is left."""
    if why := _differing(expected, expectations(shard)):
        yield Refusal(machine=machine, why=why)
        return
    with _placed(shard, brought) as here:
        for result in run_shard(here):
            yield result.to_line()
        yield Log(machine=machine, text=here.log.read_text(errors="replace")[-_LOG_TAIL:])


def packed(shard: Shard) -> bytes:
    """A tar file of what stands on the runner's disk alone; empty if there is nothing."""
    if shard.revision_path is None and "/" not in shard.zoo:
        return b""
    with io.BytesIO() as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
            for path, name in _brought(shard):
                archive.add(path, name, filter=_sources)
        return out.getvalue()


def _brought(shard: Shard) -> Iterator[tuple[Path, str]]:
    if shard.revision_path:
        yield shard.revision_path, f"revision/{shard.revision_path.name}"
        tests = shard.revision_path.parent / "tests"
        if shard.revision_path.name == "src" and tests.is_dir():
            yield tests, "revision/tests"
    if "/" in shard.zoo:
        own = Path(shard.zoo)
        yield own, f"own/{own.name}"
        # A file finds its neighbours, as a script does.
        neighbours = own.parent.glob("*.py") if own.suffix == ".py" else ()
        yield from ((each, f"own/{each.name}") for each in neighbours if each.name != own.name)


def _sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name == "__pycache__" else member


@contextmanager
def _placed(shard: Shard, brought: bytes) -> Iterator[Shard]:
    """The shard as this machine has it; its folder is cleared by the next one if we are killed."""
    folder, lock = private_folder()
    try:
        if brought:
            with tarfile.open(fileobj=io.BytesIO(brought)) as archive:
                archive.extractall(folder, filter="data")
        path = shard.revision_path
        yield replace(
            shard,
            folder=folder / "shard",
            revision_path=folder / "revision" / path.name if path else None,
            zoo=str(folder / "own" / Path(shard.zoo).name) if "/" in shard.zoo else shard.zoo,
        )
    finally:
        clear(folder)
        os.close(lock)


def _differing(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What is other than expected; empty if nothing is."""
    names = sorted({*expected, *found})
    pairs = [(name, found.get(name), expected.get(name)) for name in names]
    return ", ".join(
        f"{name} {here or 'is not installed'} instead of {wanted or 'nothing'}"
        for name, here, wanted in pairs
        if here != wanted
    )


def _project() -> str:
    """A digest of this project's code."""
    digest = hashlib.sha256()
    for package in (harness, runner):
        folder = Path(package.__path__[0])
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.toml")]):
            digest.update(f"{package.__name__}/{path.relative_to(folder)} ".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
