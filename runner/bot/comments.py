"""Posts each thing once: what is there is found, and rewritten in place, or left if it is equal.

A comment of ours is one that begins with its marker *and* whose author we are: a marker alone may
be anybody's. Where a POST broke nobody knows whether it was done, so it is looked for again before
it is sent again. Should there be two of ours all the same, the first stays.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from harness.errors import GitHubError
from runner.bot.github import GitHub, MissingError, RefusedError, UnsureError
from runner.bot.waiting import TRIES, wait_for_repair

_SAME = ("name", "status", "conclusion", "external_id", "details_url")
_TEXTS = ("title", "summary", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What became of a text that was to be there."""

    #: GitHub's number of it; None if we may not post it
    id: int | None
    #: `created`, `rewritten`, `equal` or `refused`
    done: str


def ensure_comment(github: GitHub, number: int, body: str) -> Posted:
    """Have the comment of this text's marker, its first line, say exactly this."""
    marker = body.partition("\n")[0]
    path = f"/repos/{github.repository}/issues/{number}/comments"

    def once() -> Posted:
        mine = list(_ours(github, path, marker))
        if not mine:
            return Posted(id=int(github.post(path, {"body": body})["id"]), done="created")
        for extra in mine[1:]:
            with suppress(MissingError):
                github.delete(f"/repos/{github.repository}/issues/comments/{extra['id']}")
        first = int(mine[0]["id"])
        if _same_text(mine[0]["body"], body):
            return Posted(id=first, done="equal")
        github.patch(f"/repos/{github.repository}/issues/comments/{first}", {"body": body})
        return Posted(id=first, done="rewritten")

    return _until_sure(github, once)


def _ours(github: GitHub, path: str, marker: str) -> Iterator[dict[str, Any]]:
    for found in github.all(path):
        by_us = (found.get("user") or {}).get("login") == github.login
        if by_us and str(found.get("body") or "").startswith(marker):
            yield found


def _same_text(there: str, body: str) -> bool:
    return there.replace("\r\n", "\n").strip() == body.strip()


def ensure_check(github: GitHub, check: dict[str, Any]) -> Posted:
    """Have the check run of the commit say exactly this; a token of a person's may not.

    Annotations can only be added to a check run, so one that has ended is followed by another.
    """
    commit = f"/repos/{github.repository}/commits/{check['head_sha']}/check-runs"

    def once() -> Posted:
        named = [each for each in github.all(commit, key="check_runs") if _named(each, check)]
        last = max(named, key=lambda each: int(each["id"]), default=None)
        if last is not None and _same_check(last, check):
            return Posted(id=int(last["id"]), done="equal")
        if last is not None and last["status"] != "completed":
            github.patch(f"/repos/{github.repository}/check-runs/{last['id']}", check)
            return Posted(id=int(last["id"]), done="rewritten")
        made = github.post(f"/repos/{github.repository}/check-runs", check)
        return Posted(id=int(made["id"]), done="created")

    try:
        return _until_sure(github, once)
    except RefusedError:
        return Posted(id=None, done="refused")


def _named(there: dict[str, Any], check: dict[str, Any]) -> bool:
    return bool(there["name"] == check["name"] and _number(there) == _number(check))


def _number(check: dict[str, Any]) -> str:
    """The pull request that a check run is of: a commit may be the head of several."""
    return str(check.get("external_id") or "").partition(":")[0]


def _same_check(there: dict[str, Any], check: dict[str, Any]) -> bool:
    texts = there.get("output") or {}
    told = [there.get(name) or None for name in _SAME]
    told += [(texts.get(name) or "").strip() for name in _TEXTS]
    mine = [check.get(name) or None for name in _SAME]
    return told == mine + [(check["output"].get(name) or "").strip() for name in _TEXTS]


def _until_sure(github: GitHub, once: Callable[[], Posted]) -> Posted:
    for attempt in range(1, TRIES):
        try:
            return once()
        except UnsureError:
            github.pause(wait_for_repair(attempt))
    try:
        return once()
    except UnsureError as error:
        raise GitHubError(str(error), later_s=error.later_s) from None
