"""Sends results to a dashboard elsewhere, over a spool that survives an outage.

A file is packed into the spool before it is sent, named by its content, and removed once it was
taken. What is refused for good is set aside as `.refused`; what may work later stays.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from harness.errors import MatrixError, RecordError
from harness.results import Result
from runner.durable import write_whole
from runner.notify.trying import patiently

_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of the spool."""

    told: tuple[str, ...]
    #: whether nothing is left, and nothing was refused
    all: bool


def keep(spool: Path, name: str) -> None:
    """Pack a file into the spool; `MatrixError` if it holds no results of one run."""
    content = Path(name).read_bytes()
    runs = {_run(name, line) for line in content.decode(errors="replace").splitlines() if line}
    if len(runs) != 1:
        raise RecordError(f"{name} holds results of {len(runs)} runs; upload one run's at a time")
    spool.mkdir(parents=True, exist_ok=True)
    number = Path(name).stem
    shard = int(number) if number.isascii() and number.isdecimal() else 0
    digest = hashlib.sha256(content).hexdigest()[:32]
    about = {"run": runs.pop(), "shard": shard, "name": name}
    write_whole(spool / f"{digest}.json", json.dumps(about).encode())
    write_whole(spool / f"{digest}.gz", gzip.compress(content, mtime=0))


def _run(name: str, line: str) -> str:
    try:
        return Result.from_line(line).run
    except RecordError as error:
        raise RecordError(f"{name}: {error}") from None


def send_kept(spool: Path, url: str, secret: str) -> Sent:
    """Send all that the spool holds, the oldest first."""
    if not url.startswith(("https://", "http://")):
        raise MatrixError(f"{url!r} is no http(s) address")
    told, fine = [], True
    for body in sorted(spool.glob("*.gz"), key=lambda each: each.stat().st_mtime_ns):
        about = json.loads(body.with_suffix(".json").read_text())
        try:
            told.append(f"{about['name']}: {_send(url, secret, about, body.read_bytes())}")
        except HTTPError as error:
            fine = False
            if _may_pass(error):
                told.append(f"{about['name']}: kept, the dashboard answered {error.code}")
                continue
            body.rename(body.with_suffix(".refused"))
            why = error.read(2000).decode(errors="replace")
            told.append(f"{about['name']}: refused ({error.code}): {why}")
        except (OSError, HTTPException) as error:
            return Sent(told=(*told, f"kept, the dashboard can't be reached ({error})"), all=False)
        else:
            body.unlink()
            body.with_suffix(".json").unlink()
    return Sent(told=tuple(told), all=fine)


def _send(url: str, secret: str, about: dict[str, object], body: bytes) -> str:
    asked = Request(  # noqa: S310  (checked by the caller)
        f"{url}/api/v1/runs/{quote(str(about['run']), safe='')}/shards/{about['shard']}",
        data=body,
        headers={
            "Authorization": f"Bearer {secret}",
            "Content-Encoding": "gzip",
            "Content-Type": "application/jsonl",
        },
    )
    answers: list[dict[str, object]] = []

    def send() -> None:
        with urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310  (checked by the caller)
            answers.append(json.loads(answer.read()))

    patiently(send, again=_may_pass)
    return f"{answers[-1]['new']} new results, {answers[-1]['seen']} known"


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, HTTPError) or error.code in (408, 429) or error.code >= 500
