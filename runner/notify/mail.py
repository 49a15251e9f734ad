"""A mail, as text and as HTML, by SMTP: `smtp://[user:password@]host[:port]`, or `smtps://`.

`smtp` turns to TLS wherever the server offers it; a password is never sent without.
"""

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from harness.errors import NotifyError
from runner.notify.trying import patiently

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent to whom."""

    sender: str
    to: Sequence[str]
    subject: str
    text: str
    html: str


def send(url: str, letter: Letter) -> None:
    """Hand it to the server; what it refuses for now is tried again."""
    message = _message(letter)
    try:
        patiently(lambda: _hand_over(url, message), again=_may_pass)
    except smtplib.SMTPResponseException as error:
        raise NotifyError(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotifyError(f"the mail server refused {', '.join(error.recipients)}") from None
    except OSError as error:
        raise NotifyError(f"the mail server can't be used ({error})") from None


def _message(letter: Letter) -> EmailMessage:
    made = EmailMessage()
    made["From"] = letter.sender
    made["To"] = ", ".join(letter.to)
    made["Subject"] = letter.subject
    made["Date"] = formatdate()
    # One for all tries: who got it twice sees it once.
    made["Message-ID"] = make_msgid("export-matrix", letter.sender.rpartition("@")[2])
    made.set_content(letter.text)
    made.add_alternative(letter.html, subtype="html")
    return made


def _hand_over(url: str, message: EmailMessage) -> None:
    asked = urlsplit(url)
    host = asked.hostname or "localhost"
    trusted = ssl.create_default_context()
    server: smtplib.SMTP
    if asked.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, asked.port or 465, timeout=_TIMEOUT_S, context=trusted)
    elif asked.scheme == "smtp":
        server = smtplib.SMTP(host, asked.port or 25, timeout=_TIMEOUT_S)
    else:
        raise NotifyError("the mail server is no smtp:// or smtps:// address")
    with server:
        secret = asked.scheme == "smtps"
        server.ehlo()
        if not secret and server.has_extn("starttls"):
            server.starttls(context=trusted)
            server.ehlo()
            secret = True
        if asked.username:
            if not secret:
                raise NotifyError("the mail server offers no TLS: no password is sent to it")
            server.login(unquote(asked.username), unquote(asked.password or ""))
        server.send_message(message)


def _may_pass(error: Exception) -> bool:
    """A 4xx of SMTP, or a connection that broke."""
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    return not isinstance(error, smtplib.SMTPRecipientsRefused)
