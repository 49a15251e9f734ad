"""What is newest: the head of a branch as its remote has it, the last release."""

import re
import subprocess
from pathlib import Path

from packaging.version import Version

from harness.errors import RevisionError
from runner.revisions.requirements import Pip, run_pip

NEWEST = "newest"
_TIMEOUT_S = 600


def newest_release(*, pip: Pip = run_pip) -> str:
    """The last release of Transformers that the package index has; no pre-release."""
    code, said = pip(["index", "versions", "transformers"])
    found = re.search(r"^Available versions: (.+)$", said, re.MULTILINE)
    if code or found is None:
        raise RevisionError("can't ask for the newest release: the package index can't be reached")
    versions = [Version(text.strip()) for text in found[1].split(",")]
    return str(max(version for version in versions if not version.is_prerelease))


def bring_up_to_date(checkout: Path) -> str | None:
    """Fetch what the clone's remotes have; why not, where that fails. Its work tree stays."""
    command = ["git", "-C", str(checkout), "fetch", "--quiet", "--all"]
    try:
        done = subprocess.run(  # noqa: S603  (our own command line, no shell)
            command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["git said nothing"])[-1]
    return None
