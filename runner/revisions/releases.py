"""Fetches a release of Transformers beside the stack.

- It is unpacked into a draft folder and renamed when whole: a half-fetched one is never used.
- What the release requires and the stack doesn't satisfy is installed into the release's own
  folder, never over the stack. torch and the exporters' packages are not replaced at all: a
  release that can't live with those of the stack is refused.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import RevisionError, nearest

#: runs pip with these arguments; (exit code, everything it said)
Pip = Callable[[Sequence[str]], tuple[int, str]]

#: packages under test, or what they are tested with: never replaced by a release's wishes
PROTECTED = {
    *("torch", "torchvision", "torchaudio", "torchao", "pytorch-tokenizers", "numpy"),
    *("onnx", "onnx-ir", "onnxscript", "onnxruntime", "executorch", "openvino"),
}
# pip calls a release unknown also when it could not ask
_UNREACHABLE = re.compile(
    r"NewConnectionError|ConnectionError|name resolution|timed out|from versions: none"
)


def run_pip(arguments: Sequence[str]) -> tuple[int, str]:
    """pip of this interpreter."""
    done = subprocess.run(  # noqa: S603  (our own command line, no shell)
        [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def fetch(release: str, *, cache: Path, pip: Pip) -> Path:
    """The folder that holds the release's `transformers`, fetched unless it is there."""
    home = cache / "releases" / release
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix="draft-") as draft:
        wheel = _download(release, Path(draft), pip)
        unpacked = Path(draft) / "unpacked"
        _unpack(wheel, unpacked)
        _require(release, unpacked, pip)
        try:
            unpacked.rename(home)
        except OSError:
            # Another process was first, and what it made is the same.
            if not home.is_dir():
                raise
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


def _require(release: str, unpacked: Path, pip: Pip) -> None:
    """Install beside the release what it requires and the stack doesn't satisfy."""
    wanted = [item for item in _requirements(unpacked) if not _satisfied(item)]
    refused = sorted(str(item) for item in wanted if canonicalize_name(item.name) in PROTECTED)
    if refused:
        raise RevisionError(
            f"transformers {release} needs {', '.join(refused)}, which this stack doesn't have; "
            "install them for a run of its own"
        )
    if wanted:
        names = [f"{item.name}{item.specifier}" for item in wanted]
        code, said = pip(["install", "--quiet", "--no-deps", "--target", str(unpacked), *names])
        if code:
            last = (said.strip().splitlines() or ["pip said nothing"])[-1]
            raise RevisionError(f"can't install {', '.join(names)} for {release}: {last}")


def _requirements(unpacked: Path) -> Iterable[Requirement]:
    """What the release requires here, extras left out."""
    for metadata in unpacked.glob("transformers-*.dist-info/METADATA"):
        headers = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        for line in headers.get_all("Requires-Dist") or []:
            item = Requirement(line)
            if item.marker is None or item.marker.evaluate({"extra": ""}):
                yield item


def _satisfied(item: Requirement) -> bool:
    try:
        return item.specifier.contains(installed_version(item.name), prereleases=True)
    except PackageNotFoundError:
        return False
