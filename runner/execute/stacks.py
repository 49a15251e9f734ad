"""Our own commands in another environment: another Python, with its own torch and exporters.

What they print goes to a log. An interrupt is handed on, and waited for: a run is left so that it
can go on.
"""

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import MatrixError

_ASK_S = 120
_STACK = "import json, runner.cli; from harness.stack import stack; print(json.dumps(stack()))"


def versions_in(python: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The stack of an environment; `MatrixError` if it can run no cells."""
    try:
        done = subprocess.run(  # noqa: S603  (the user's own Python)
            [python, "-P", "-c", _STACK],
            env=dict(variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=_ASK_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MatrixError(f"{python} can't be run ({error}); name a Python interpreter") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise MatrixError(
            f"{python} can't run cells ({last}); install this project there: "
            f"{python} -m pip install 'export-matrix[exporters]'"
        )
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_command(
    python: Path, words: Sequence[str], *, variables: Mapping[str, str], log: Path
) -> int:
    """Exit code of `export-matrix WORDS…` in that environment."""
    with log.open("ab") as out:
        process = subprocess.Popen(  # noqa: S603  (our own command line, no shell)
            [python, "-P", "-m", "runner.cli", *words],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # a terminal's Ctrl-C is for us, and handed on once
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
