"""One delivery of a webhook: to the address that was looked at, once, without redirects.

The name is resolved here and the connection goes to that very address: asked again, a name server
could tell another. No proxy of the environment takes part.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from harness.errors import NotifyError
from runner.core.webhook import is_public

_TIMEOUT_S = 15.0
_LATER_S = 30.0
_READ = 4096


def deliver(url: str, body: bytes, headers: Mapping[str, str], *, private: bool) -> int:
    """The status, a success; `NotifyError` otherwise, with `later_s` if it may pass."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        connection.sock = _connected(host, port, secure=secure, private=private)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            answer.read(_READ)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        why = type(error).__name__
        raise NotifyError(f"the webhook can't be reached ({why})", later_s=_LATER_S) from None
    if 200 <= answer.status < 300:
        return answer.status
    passes = answer.status in (408, 425, 429) or answer.status >= 500
    told = f"the webhook answered {answer.status}"
    raise NotifyError(told, later_s=_LATER_S if passes else None)


def _connected(host: str, port: int, *, secure: bool, private: bool) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    if not private and not all(map(is_public, addresses)):
        raise NotifyError("the webhook is in a private network (EXPORT_MATRIX_HOOKS_PRIVATE)")
    plain = socket.create_connection((addresses[0], port), timeout=_TIMEOUT_S)
    if not secure:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise
