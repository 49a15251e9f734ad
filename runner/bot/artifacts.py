"""What a workflow's run has left: its artifacts, as the zip files that they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from runner.bot.github import GitHub


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A zip file; its name is whatever the workflow called it."""

    id: int
    name: str
    size: int


def artifacts(github: GitHub, run: int) -> Iterator[Artifact]:
    """All of a run that are still there, the newest of each name."""
    path = f"/repos/{github.repository}/actions/runs/{run}/artifacts"
    by_name: dict[str, Artifact] = {}
    for told in github.all(path, key="artifacts"):
        if not told.get("expired"):
            found = Artifact(
                id=int(told["id"]), name=str(told["name"]), size=int(told["size_in_bytes"])
            )
            # A job that was run again leaves another one.
            by_name[found.name] = max(found, by_name.get(found.name, found), key=lambda x: x.id)
    yield from by_name.values()


def download(github: GitHub, found: Artifact, into: IO[bytes], *, largest: int) -> None:
    path = f"/repos/{github.repository}/actions/artifacts/{found.id}/zip"
    github.download(path, into, largest=largest)
