"""What a revision requires and the stack doesn't have: installed beside it, never over the stack.

torch and the exporters' packages are not replaced at all: a revision that can't live with those of
the stack is refused.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.errors import RevisionError

#: runs pip with these arguments; (exit code, everything it said)
Pip = Callable[[Sequence[str]], tuple[int, str]]

#: packages under test, or what they are tested with: never replaced by a revision's wishes
PROTECTED = {
    *("torch", "torchvision", "torchaudio", "torchao", "pytorch-tokenizers", "numpy"),
    *("onnx", "onnx-ir", "onnxscript", "onnxruntime", "executorch", "openvino"),
}


def run_pip(arguments: Sequence[str]) -> tuple[int, str]:
    """pip of this interpreter."""
    done = subprocess.run(  # noqa: S603  (our own command line, no shell)
        [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def run_pip_for_others(arguments: Sequence[str]) -> tuple[int, str]:
    """pip for what a pull request asks for: wheels alone, which run no code when installed."""
    return run_pip([*arguments, "--only-binary", ":all:"])


def complete(label: str, required: Iterable[Requirement], *, folder: Path, pip: Pip) -> None:
    """Install into `folder` what is required here and the stack doesn't satisfy, and what that
    requires in its turn."""
    while wanted := _unsatisfied(required, folder):
        refused = sorted(str(each) for each in wanted if canonicalize_name(each.name) in PROTECTED)
        if refused:
            raise RevisionError(
                f"{label} needs {', '.join(refused)}, which this stack doesn't have; "
                "install them for a run of its own"
            )
        names = [f"{each.name}{each.specifier}" for each in wanted]
        code, said = pip(["install", "--quiet", "--no-deps", "--target", str(folder), *names])
        left = _unsatisfied(wanted, folder)
        if code or left:
            last = (said.strip().splitlines() or ["pip said nothing"])[-1]
            raise RevisionError(f"can't install {', '.join(names)} for {label}: {last}")
        required = [each for one in distributions(path=[str(folder)]) for each in _of(one)]


def _of(distribution: Distribution) -> Iterator[Requirement]:
    return map(Requirement, distribution.requires or ())


def _unsatisfied(required: Iterable[Requirement], folder: Path) -> list[Requirement]:
    """What is required without an extra, and is neither in the folder nor in the stack."""
    here = [each for each in required if each.marker is None or each.marker.evaluate({"extra": ""})]
    beside = distributions(path=[str(folder)])
    own = {str(canonicalize_name(one.name)): one.version for one in beside}
    return [each for each in here if not _satisfied(each, own)]


def _satisfied(item: Requirement, own: Mapping[str, str]) -> bool:
    try:
        found = own.get(canonicalize_name(item.name)) or version(item.name)
        return item.specifier.contains(found, prereleases=True)
    except PackageNotFoundError:
        return False
