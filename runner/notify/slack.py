"""A message to a Slack-compatible webhook (Slack, Mattermost, Discord's `/slack`)."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from harness.errors import NotifyError
from runner.notify.trying import patiently

_TIMEOUT_S = 20.0


def post(url: str, text: str) -> None:
    """Post it once; a limit, a 5xx and a broken connection are tried again."""
    if not url.startswith(("https://", "http://")):
        raise NotifyError("the Slack webhook is no http(s) address")
    body = json.dumps({"text": text, "unfurl_links": False}).encode()
    asked = Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310  (checked above)

    def send() -> None:
        with urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310  (checked above)
            answer.read()

    try:
        patiently(send, again=_may_pass)
    except HTTPError as error:
        raise NotifyError(f"the Slack webhook answered {error.code} {error.reason}") from None
    except OSError as error:
        raise NotifyError(f"the Slack webhook can't be reached ({_why(error)})") from None


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, HTTPError) or error.code == 429 or error.code >= 500


def _why(error: OSError) -> str:
    return str(getattr(error, "reason", error))
