"""Fetches a release of Transformers beside the stack.

- It is unpacked into a draft folder and renamed when whole: a half-fetched one is never used.
- What it requires and the stack doesn't have is installed into its own folder (`requirements`).
"""

import re
import tempfile
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement

from harness.errors import RevisionError, nearest
from runner.revisions.keeping import spare, use
from runner.revisions.requirements import Pip, complete

# pip calls a release unknown also when it could not ask
_UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectionError|name resolution|timed out|from versions: none"
)


def fetch(release: str, *, cache: Path, pip: Pip) -> Path:
    """The folder that holds the release's `transformers`, fetched unless it is there."""
    home = cache / "releases" / release
    use(home)
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="draft-") as draft:
        wheel = _download(release, Path(draft), pip)
        unpacked = Path(draft) / "unpacked"
        _unpack(wheel, unpacked)
        complete(f"transformers {release}", _requirements(unpacked), folder=unpacked, pip=pip)
        try:
            unpacked.rename(home)
        except OSError:
            # Another process was first, and what it made is the same.
            if not home.is_dir():
                raise
    spare(home.parent)
    return home


def _unpack(wheel: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    except zipfile.BadZipFile as error:
        raise RevisionError(f"{wheel.name} came half or damaged ({error}); try again") from None


def _download(release: str, folder: Path, pip: Pip) -> Path:
    asked = ["download", "--no-deps", "--quiet", "--dest", str(folder), f"transformers=={release}"]
    code, said = pip(asked)
    wheels = sorted(folder.glob("transformers-*.whl"))
    if code == 0 and wheels:
        return wheels[0]
    if _UNREACHABLE.search(said):
        raise RevisionError(
            f"can't fetch transformers {release}: the package index can't be reached"
        )
    known = re.findall(
        r"\b\d+\.\d+[\w.]*", (re.search(r"from versions: ([^)]*)", said) or [said])[0]
    )
    if "No matching distribution" in said and known:
        raise RevisionError(
            f"no release {release!r} of transformers{nearest(release, known[::-1])}"
        )
    last = (said.strip().splitlines() or ["pip said nothing"])[-1]
    raise RevisionError(f"can't fetch transformers {release}: {last}")


def _requirements(unpacked: Path) -> Iterable[Requirement]:
    """What the release requires here, extras left out."""
    for metadata in unpacked.glob("transformers-*.dist-info/METADATA"):
        headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        yield from map(Requirement, headers.get_all("Requires-Dist") or [])
