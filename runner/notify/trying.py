"""Tries again what may work later."""

import time
from collections.abc import Callable

TRIES = 4


def patiently(send: Callable[[], None], *, again: Callable[[Exception], bool]) -> None:
    """Send; where it fails for a reason that may pass, wait and send again: 1, 2, 4 s."""
    for attempt in range(TRIES):
        try:
            send()
        except OSError as error:  # what networks, HTTP and SMTP raise
            if attempt == TRIES - 1 or not again(error):
                raise
            time.sleep(2.0**attempt)
        else:
            return
