"""Which Transformers is meant, and how a release comes to lie beside the stack."""

import sys
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.errors import RevisionError
from runner.revisions import resolve

VERSIONS = (
    "ERROR: Could not find a version that satisfies the requirement transformers==5.2.22 "
    "(from versions: 5.20.0, 5.21.0, 5.22.2)\nERROR: No matching distribution found"
)


class FakePip:
    """A pip that has one release; it writes real wheels, and remembers what it was asked."""

    def __init__(self, *requirements: str, whole: bool = True) -> None:
        self.asked: list[list[str]] = []
        self._requirements = requirements
        self._whole = whole

    def __call__(self, arguments: Sequence[str]) -> tuple[int, str]:
        self.asked.append(list(arguments))
        if arguments[0] == "install":
            target = arguments.index("--target") + 1
            for name in arguments[target + 1 :]:
                info = Path(arguments[target]) / f"{name.partition('>')[0]}-99.dist-info"
                info.mkdir()
                (info / "METADATA").write_text(f"Name: {name.partition('>')[0]}\nVersion: 99\n")
            return 0, ""
        if arguments[-1] != "transformers==5.22.2":
            return 1, VERSIONS
        self._wheel(Path(arguments[arguments.index("--dest") + 1]))
        return 0, ""

    def _wheel(self, folder: Path) -> None:
        path = folder / "transformers-5.22.2-py3-none-any.whl"
        lines = ["Name: transformers", *(f"Requires-Dist: {line}" for line in self._requirements)]
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("transformers/__init__.py", '__version__ = "5.22.2"\n')
            wheel.writestr("transformers-5.22.2.dist-info/METADATA", "\n".join(lines))
        if not self._whole:
            path.write_bytes(path.read_bytes()[:40])


def test_installed_is_the_version_that_is_there(tmp_path: Path) -> None:
    found = resolve("installed", cache=tmp_path, pip=FakePip())
    assert (found.name, found.path) == (version("transformers"), None)
    assert resolve(found.name, cache=tmp_path, pip=FakePip()) == found


def test_without_transformers_the_answer_is_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(RevisionError, match=r"pip install 'export-matrix\[exporters\]'"):
        resolve("installed", cache=tmp_path, pip=FakePip())


def test_a_release_is_unpacked_beside_the_stack_and_fetched_once(tmp_path: Path) -> None:
    pip = FakePip()
    found = resolve("5.22.2", cache=tmp_path, pip=pip)
    assert found.path == tmp_path / "releases" / "5.22.2"
    assert (found.path / "transformers" / "__init__.py").is_file()
    assert resolve("5.22.2", cache=tmp_path, pip=pip) == found
    assert len(pip.asked) == 1


def test_a_half_fetched_release_is_never_used(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="half"):
        resolve("5.22.2", cache=tmp_path, pip=FakePip(whole=False))
    assert [each for each in (tmp_path / "releases").iterdir() if each.is_dir()] == []
    assert resolve("5.22.2", cache=tmp_path, pip=FakePip()).path is not None


def test_an_unknown_release_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match=r"did you mean '5\.22\.2'"):
        resolve("5.2.22", cache=tmp_path, pip=FakePip())


def test_without_a_registry_the_message_is_pips_last_line(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match=r"5\.22\.2: no route"):
        resolve("5.22.2", cache=tmp_path, pip=lambda arguments: (1, "retrying\nno route to host"))


def test_a_registry_that_can_not_be_asked_is_no_unknown_release(tmp_path: Path) -> None:
    said = "NewConnectionError: failed\nERROR: No matching distribution (from versions: none)"
    with pytest.raises(RevisionError, match="can't be reached"):
        resolve("5.22.2", cache=tmp_path, pip=lambda arguments: (1, said))


def test_a_requirement_that_the_stack_lacks_goes_into_the_releases_own_folder(
    tmp_path: Path,
) -> None:
    pip = FakePip("nowhere-to-be-found>=3", "packaging>=20", "timm; extra == 'vision'")
    found = resolve("5.22.2", cache=tmp_path, pip=pip)
    assert pip.asked[1][-1] == "nowhere-to-be-found>=3"
    assert "--no-deps" in pip.asked[1]
    assert found.path is not None
    assert (found.path / "nowhere-to-be-found-99.dist-info").exists()


def test_what_is_under_test_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match="numpy>=99"):
        resolve("5.22.2", cache=tmp_path, pip=FakePip("numpy>=99"))


@pytest.mark.parametrize(
    ("text", "says"),
    [("./transformers@main", "no folder"), ("newest", "no revision"), ("", "no revision")],
)
def test_what_is_no_revision_is_said_to_be_none(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RevisionError, match=says):
        resolve(text, cache=tmp_path, pip=FakePip())
