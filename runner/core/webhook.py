"""What a webhook carries, and where it may go.

Deliveries are signed as Standard Webhooks says (https://www.standardwebhooks.com): over the id, the
time and the body, so that none can be sent again later by who read it. An address of a private
network is none of the world's: who may subscribe could reach through us what only we can reach.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from harness.errors import SelectionError

_LONGEST = 2000
#: addresses in IPv6 that lead to others: NAT64, 6to4, Teredo
_TUNNELS = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",
                                            "2001::/32")))  # fmt: skip


def signature(secret: str, *, message: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("the secret is none") from None
    signed = f"{message}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def checked_url(url: str) -> str:
    """The URL, if it is one that a delivery can be sent to."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    if not good or not plain or "@" in urlsplit(url).netloc:
        raise SelectionError(f"{url[:100]!r} is no address that a webhook goes to: https://host/…")
    return url


def is_public(address: str) -> bool:
    """Whether an IP address is the world's."""
    found = ipaddress.ip_address(address.partition("%")[0])
    tunnel = any(found in network for network in _TUNNELS if network.version == found.version)
    return found.is_global and not (found.is_multicast or found.is_reserved or tunnel)
