"""A cell in a process of its own, where nothing is warm: what forked cells are compared with.

    python -m harness.isolation.cold BIRTH      (a settled child becomes it)

It inherits nothing but its place: folder, log, limits, the pipe. It imports what it needs when it
needs it, and its garbage is collected, as in anybody's script.
"""

import json
import os
import sys
from functools import partial
from typing import NoReturn

from harness.isolation.child import Birth, live, settle, tell_stack
from harness.isolation.messages import CELLS, Launch, Request
from harness.isolation.warming import Warm, shapes_of
from harness.zoo.base import load_zoo


def start_anew(launch: Launch, birth: Birth) -> NoReturn:
    """Replace this child by a Python that knows nothing of the zygote."""
    settle(birth)
    for descriptor in (birth.pipe, birth.stack):
        os.set_inheritable(descriptor, True)
    line = json.dumps(
        {
            "launch": launch.to_line(),
            "request": birth.request.to_line(),
            "pipe": birth.pipe,
            "stack": birth.stack,
        }
    )
    os.execv(sys.executable, [sys.executable, "-P", "-m", "harness.isolation.cold", line])  # noqa: S606  (our own command line)


def main(line: str) -> NoReturn:
    record = json.loads(line)
    launch = Launch.from_line(record["launch"])
    birth = Birth(
        request=Request.from_line(record["request"]),
        cells=launch.path(CELLS),
        parent=os.getppid(),
        pipe=record["pipe"],
        stack=record["stack"],
    )
    live(birth, partial(_begin, launch))


def _begin(launch: Launch, birth: Birth) -> Warm:
    tell_stack(birth)
    return Warm(zoo=load_zoo(launch.zoo), backends={}, shapes=shapes_of(launch.shapes), warnings=())


if __name__ == "__main__":
    main(sys.argv[1])
