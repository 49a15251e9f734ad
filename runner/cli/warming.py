"""Asks a dashboard for its main pages now and then, so that nobody waits for them after a run.

What is answered is kept by the dashboard itself until something is written; asking again for what
is kept costs nothing.
"""

import http.client
import threading
import time
from urllib.parse import urlsplit

_PAGES = ("/", "/matrix", "/runs", "/runs/latest", "/groups", "/slowest", "/flaky", "/known")
_EVERY_S = 60.0
_TIMEOUT_S = 120.0


def keep_warm(host: str, port: int, *, public_url: str) -> None:
    """Go on until the process ends; asks as a stranger who comes by the public address."""
    known_as = urlsplit(public_url).netloc
    asking = threading.Thread(
        target=_ask_for_ever, args=(_reachable(host), port, known_as), name="warm", daemon=True
    )
    asking.start()


def _reachable(host: str) -> str:
    """Where a server that listens there is reached from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (not to listen on)


def _ask_for_ever(host: str, port: int, known_as: str) -> None:
    while True:
        time.sleep(1)  # it is not there at once
        try:
            connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
            for path in (*_PAGES, "/feed.xml"):
                connection.request("GET", path, headers={"Host": known_as})
                connection.getresponse().read()
            connection.close()
        except (OSError, http.client.HTTPException):
            continue
        time.sleep(_EVERY_S)
