"""How long to wait before a request is sent again, and whether at all.

- A rate limit (403 or 429) is GitHub's word that nothing was done: any request may be sent again,
  when GitHub says (`retry-after`, else the reset of the primary limit, else a minute and more).
- After a 5xx, or where the connection broke, nobody knows whether it was done: what changes nothing
  when repeated is sent again, soon; a POST is not. Who sent it looks for what it would have made.
- What would take longer than `PATIENCE_S` is given up here: the queue has the patience.
"""

from collections.abc import Mapping

TRIES = 5
PATIENCE_S = 60.0
_SECONDARY_S = 60.0
_BROKEN_S = 1.0


def limited(status: int, headers: Mapping[str, str], message: str) -> bool:
    """Whether an answer says that requests came too fast, or too many."""
    return status == 429 or (
        status == 403
        and (
            "retry-after" in headers
            or headers.get("x-ratelimit-remaining") == "0"
            or "rate limit" in message.lower()
        )
    )


def wait_for_limit(headers: Mapping[str, str], *, attempt: int, now: float) -> float:
    """Seconds until a limit lets go; `now` is the time of the epoch."""
    if (after := _number(headers.get("retry-after"))) is not None:
        return max(0.0, after)
    reset = _number(headers.get("x-ratelimit-reset"))
    if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
        return max(1.0, reset - now + 1.0)
    return float(_SECONDARY_S * 2 ** (attempt - 1))


def wait_for_repair(attempt: int) -> float:
    """Seconds until what is broken may work."""
    return float(_BROKEN_S * 2 ** (attempt - 1))


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
