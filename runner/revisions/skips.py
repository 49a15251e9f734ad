"""Where a Transformers checkout writes its skip lists: the files' text, by their path in it."""

import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runner.revisions.commits import archived, commit

#: the folders, and in them the files, that `runner.core.skips` reads
_FOLDERS = ("tests/exporters", "tests/models", "src/transformers/models")
_FILES = re.compile(
    r"tests/exporters/test_export\.py|tests/models/\w+/test_modeling_\w+\.py"
    r"|src/transformers/models/\w+/modeling_\w+\.py"
)


def taken_out(revision: str, *, cache: Path) -> Path | None:
    """The folder of a commit that was run from here; None for a release, or one run elsewhere."""
    homes = (
        (cache / "commits").glob(f"{revision}*") if re.fullmatch("[0-9a-f]{12,}", revision) else ()
    )
    return next(iter(sorted(homes)), None)


def texts_in(home: Path) -> dict[str, str]:
    """The files in the folder of a commit."""
    found = ((path.relative_to(home).as_posix(), path) for path in _python_files(home))
    return {
        name: path.read_text("utf-8", "replace") for name, path in found if _FILES.fullmatch(name)
    }


def _python_files(home: Path) -> Iterator[Path]:
    return (path for folder in _FOLDERS for path in sorted((home / folder).rglob("*.py")))


def texts_of(reference: str) -> tuple[str, dict[str, str]]:
    """The commit that `path/to/transformers@main` means, and its files; `RevisionError`."""
    folder, _, name = reference.partition("@")
    sha = commit(Path(folder), name)
    with tempfile.TemporaryDirectory() as draft:
        archive = Path(draft) / "skips.tar"
        archived(Path(folder), sha, _FOLDERS, into=archive)
        with tarfile.open(archive) as files:
            return sha, {
                member.name: handle.read().decode("utf-8", "replace")
                for member in files
                if _FILES.fullmatch(member.name) and (handle := files.extractfile(member))
            }
