"""Tells people what came of a night, each of them once, and writes its report.

What was told to whom is kept beside the report: a message is sent again only if the night came to
something else meanwhile. Who can't be told is told the next time.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import NotifyError
from runner.core.nights import Told, slack_text
from runner.core.report.markdown import as_markdown
from runner.core.report.told import Report
from runner.durable import write_whole
from runner.notify import mail, slack
from runner.settings import settings
from runner.steps.reporting import as_html, as_record

_KEPT = "told.json"


def write_report(report: Report, home: Path) -> None:
    """`report.md`, `report.html` and `report.json`."""
    root = settings().dashboard_url
    texts = {
        "report.md": as_markdown(report, root=root),
        "report.html": as_html(report, root=root),
        "report.json": json.dumps(as_record(report), indent=2) + "\n",
    }
    for name, text in texts.items():
        write_whole(home / name, text.encode(errors="replace"))


def tell(told: Told, report: Report | None, home: Path) -> tuple[str, ...]:
    """Send what was not sent yet; why, of those who could not be told."""
    kept = home / _KEPT
    sent: dict[str, str] = json.loads(kept.read_text()) if kept.exists() else {}
    digest = hashlib.sha256(slack_text(told, root="").encode(errors="replace")).hexdigest()
    problems = []
    for name, send in _targets(told, report):
        if sent.get(name) == digest:
            continue
        try:
            send()
        except NotifyError as error:
            problems.append(str(error))
            continue
        sent[name] = digest
        write_whole(kept, json.dumps(sent).encode())
    return tuple(problems)


def _targets(told: Told, report: Report | None) -> Iterator[tuple[str, Callable[[], None]]]:
    has = settings()
    root = has.dashboard_url
    if has.slack_url:
        url, text = has.slack_url.get_secret_value(), slack_text(told, root=root)
        yield "slack", lambda: slack.post(url, text)
    if has.smtp_url and has.mail_to:
        server, letter = has.smtp_url.get_secret_value(), _letter(told, report, root)
        yield "mail", lambda: mail.send(server, letter)


def _letter(told: Told, report: Report | None, root: str) -> mail.Letter:
    has = settings()
    plain = "\n".join([told.subject, *told.problems])
    return mail.Letter(
        sender=has.mail_from,
        to=[each.strip() for each in (has.mail_to or "").split(",") if each.strip()],
        subject=told.subject,
        text=as_markdown(report, root=root) if report else plain,
        html=as_html(report, root=root) if report else f"<pre>{_html(plain)}</pre>",
    )


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
