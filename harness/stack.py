"""The versions that decide an outcome, read from distributions' metadata: nothing is imported."""

import platform
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from pathlib import Path

from harness.backends import ENTRY_POINT_GROUP

PACKAGES = (
    "torch", "transformers", "onnx", "onnxscript", "onnxruntime", "executorch", "openvino", "numpy",
)  # fmt: skip


def stack(*, device: str = "cpu") -> dict[str, str]:
    """package -> version, with `python` and `device`; what is not installed is left out."""
    names = dict.fromkeys([*PACKAGES, *_brought()])
    versions = {name: found for name in names if (found := _version(name)) is not None}
    return {"python": platform.python_version(), **versions, "device": device}


def _brought() -> list[str]:
    """The distributions that bring backends of their own."""
    return [point.dist.name for point in entry_points(group=ENTRY_POINT_GROUP) if point.dist]


def _version(name: str) -> str | None:
    if name == "transformers":
        return _transformers()
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _transformers() -> str | None:
    """The version in the sources that would be imported: a revision on PYTHONPATH comes first."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        return None
    for line in Path(spec.origin).read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.partition("=")[2].strip(" \"'")
    return None
