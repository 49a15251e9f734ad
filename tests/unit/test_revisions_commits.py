"""A commit of a git checkout as a revision: real git, small repositories."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.errors import RevisionError
from runner.revisions import resolve
from runner.revisions.commits import between, branch_named, commit, log_line
from runner.revisions.keeping import spare, use_again

SETUP = 'install_requires = [deps["numpy"], deps["no-such-package"]]\n'
TABLE = (
    'deps = {"numpy": "numpy>=1.17", "no-such-package": "no-such-package>=2", "torch": "torch"}\n'
)
FILES = {
    "setup.py": SETUP,
    "src/transformers/__init__.py": '__version__ = "5.16.0.dev0"\n',
    "src/transformers/dependency_versions_table.py": TABLE,
    "src/transformers/exporters/__init__.py": "",
    "tests/models/bert/test_modeling_bert.py": "",
    "utils/test_module/__init__.py": "",
    "docs/large.md": "not taken",
}


class Pip:
    """A pip that can install `no-such-package`, whose one requirement is `its-own`."""

    def __init__(self) -> None:
        self.installed: list[str] = []

    def __call__(self, arguments: Sequence[str]) -> tuple[int, str]:
        target = Path(arguments[arguments.index("--target") + 1])
        for name in arguments[arguments.index("--target") + 2 :]:
            package = name.partition(">")[0]
            info = target / f"{package.replace('-', '_')}-2.1.dist-info"
            info.mkdir(parents=True)
            more = "Requires-Dist: its-own\n" if package == "no-such-package" else ""
            (info / "METADATA").write_text(f"Name: {package}\nVersion: 2.1\n{more}")
            self.installed.append(package)
        return 0, ""


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of two commits; the second has a changed version and is tagged `later`."""
    folder = tmp_path / "transformers"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "src/transformers/__init__.py").write_text('__version__ = "5.17.0.dev0"\n')
    git(folder, "commit", "-q", "-a", "-m", "second")
    git(folder, "tag", "later")
    return folder


def version(path: Path | None) -> str:
    assert path is not None
    return (path / "transformers" / "__init__.py").read_text()


@pytest.mark.parametrize(("reference", "says"), [("later", "5.17"), ("main~1", "5.16")])
def test_a_commit_is_taken_out_whole_whatever_the_checkout_has_now(
    checkout: Path, tmp_path: Path, reference: str, says: str
) -> None:
    (checkout / "src/transformers/__init__.py").write_text("changed since\n")
    found = resolve(f"{checkout}@{reference}", cache=tmp_path / "cache", pip=Pip())
    assert found.name == git(checkout, "rev-parse", f"{reference}^{{commit}}")[:12]
    assert says in version(found.path)
    assert found.path is not None
    assert (found.path.parent / "tests/models/bert/test_modeling_bert.py").is_file()
    assert not (found.path.parent / "docs").exists()


@pytest.mark.parametrize(
    ("reference", "branch"),
    [("", "main"), ("main", "main"), ("origin/fix/it", "fix/it"), ("later", None), ("-x", None)],
)
def test_a_branch_is_known_where_one_is_named(
    checkout: Path, reference: str, branch: str | None
) -> None:
    git(checkout, "update-ref", "refs/remotes/origin/fix/it", "main")
    assert branch_named(checkout, reference) == branch


def test_what_the_commit_requires_comes_beside_it_with_what_that_requires(
    checkout: Path, tmp_path: Path
) -> None:
    pip = Pip()
    resolve(f"{checkout}@later", cache=tmp_path / "cache", pip=pip)
    resolve(f"{checkout}@later", cache=tmp_path / "cache", pip=pip)
    assert pip.installed == ["no-such-package", "its-own"]


def test_without_a_commit_what_is_checked_out_is_meant_if_it_is_clean(
    checkout: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert "5.17" in version(resolve(str(checkout), cache=cache, pip=Pip()).path)
    (checkout / "src/transformers/new.py").write_text("")
    with pytest.raises(RevisionError, match="not committed; commit or stash them, or name a"):
        resolve(str(checkout), cache=cache, pip=Pip())


def test_a_shallow_checkout_is_refused_with_the_command_that_completes_it(
    checkout: Path, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.as_uri(), str(shallow))
    with pytest.raises(RevisionError, match="fetch --unshallow"):
        resolve(f"{shallow}@main", cache=tmp_path / "cache", pip=Pip())


def test_a_commit_without_the_exporters_is_refused(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / "src/transformers/exporters")
    git(checkout, "commit", "-q", "-a", "-m", "without")
    with pytest.raises(RevisionError, match=r"has no transformers\.exporters"):
        resolve(str(checkout), cache=tmp_path / "cache", pip=Pip())
    assert kept(tmp_path / "cache/commits") == set()


@pytest.mark.parametrize(
    ("text", "says"),
    [("transformers@nowhere", "no commit or branch 'nowhere'"), ("away@main", "is no folder")],
)
def test_what_is_not_there_is_said_to_be_missing(
    checkout: Path, tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(RevisionError, match=says):
        resolve(f"{checkout.parent}/{text}", cache=tmp_path / "cache", pip=Pip())


def test_a_folder_that_git_does_not_know_is_refused_with_what_git_says(tmp_path: Path) -> None:
    with pytest.raises(RevisionError, match=r"can't read .* with git"):
        resolve(f"{tmp_path}@main", cache=tmp_path / "cache", pip=Pip())


def test_commits_between_two_are_in_order_along_first_parents(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "-b", "side", "main~1")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "on the side")
    git(checkout, "checkout", "-q", "main")
    git(checkout, "merge", "-q", "--no-ff", "-m", "merged", "side")
    line = between(checkout, commit(checkout, "main~2"), commit(checkout, "main"))
    told = [log_line(checkout, sha).partition(": ")[2] for sha in line]
    assert told == ["first", "second", "merged"]


def test_commits_that_no_line_joins_are_refused_with_the_way_out(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "-b", "side", "main~1")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "on the side")
    with pytest.raises(RevisionError, match=r"is no ancestor of .* merge-base"):
        between(checkout, commit(checkout, "side"), commit(checkout, "main"))


def test_a_commit_tells_itself_in_a_line(checkout: Path) -> None:
    sha = commit(checkout, "main")
    short, rest = log_line(checkout, sha).split(" ", 1)
    assert sha.startswith(short)
    assert rest.endswith(" A: second")


def kept(folder: Path) -> set[str]:
    return {home.name for home in folder.iterdir() if home.is_dir()}


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """Five revisions that somebody used, `5.0.0` the longest ago."""
    for number in range(5):
        (tmp_path / f"5.{number}.0").mkdir()
        lock = tmp_path / f"5.{number}.0.lock"
        lock.touch()
        os.utime(lock, (number, number))
    return tmp_path


def test_the_revisions_used_last_are_kept_and_the_others_removed(unpacked: Path) -> None:
    spare(unpacked, kept=2)
    assert kept(unpacked) == {"5.3.0", "5.4.0"}


def test_a_revision_that_a_process_uses_is_never_removed(unpacked: Path) -> None:
    hold = "import sys; from pathlib import Path; from runner.revisions.keeping import use; "
    hold += f"use(Path({str(unpacked / '5.0.0')!r})); print('held', flush=True); sys.stdin.read()"
    user = subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert user.stdout is not None
    assert user.stdout.readline() == "held\n"
    os.utime(unpacked / "5.0.0.lock", (0, 0))
    spare(unpacked, kept=1)
    assert kept(unpacked) == {"5.0.0", "5.4.0"}
    user.communicate()
    spare(unpacked, kept=1)
    assert kept(unpacked) == {"5.4.0"}


def test_a_run_whose_revision_is_gone_is_told_how_to_get_it_back(unpacked: Path) -> None:
    use_again(unpacked / "5.4.0", "5.4.0")
    with pytest.raises(RevisionError, match=r"is gone.*--revision 5\.9\.0"):
        use_again(unpacked / "5.9.0", "5.9.0")
