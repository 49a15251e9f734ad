"""What GitHub sends: whether it is GitHub's, and what of it means something here.

- A delivery is signed over its raw bytes (HMAC-SHA256); nothing is read before that holds. The
  header with the delivery's id is not signed, so a body that came before is a repeat as well.
- Of a payload only what is used is kept. One that lacks it, or that means nothing here, is None.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from runner.core.plain import storable

_BODY = 4000
_RUNS = ("opened", "reopened", "synchronize", "ready_for_review", "edited")


def signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether the header `X-Hub-Signature-256` is that of these bytes."""
    made = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(made.encode(), (signature or "").encode(errors="replace"))


def body_digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Kind(StrEnum):
    """What a queued piece of work is about."""

    #: a pull request was opened, or its commits changed
    PULL = "pull"
    #: somebody commented on a pull request
    COMMENT = "comment"
    #: a branch moved
    PUSH = "push"
    #: a workflow has ended
    WORKFLOW = "workflow"


def _sha(told: object) -> str:
    """A commit's id; `ValueError` for anything else."""
    if not re.fullmatch("[0-9a-f]{1,40}", str(told)):
        raise ValueError("no id of a commit")
    return str(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request, as an event or an answer of GitHub tells it."""

    repository: str
    number: int
    head: str
    base: str
    base_branch: str
    open: bool
    #: by GitHub's clock
    updated_at: datetime
    #: the merge of head into base; None while GitHub has none, or there can be none
    merge: str | None = None

    @classmethod
    def read(cls, repository: str, told: Mapping[str, Any]) -> Self:
        """From GitHub's JSON of a pull request; `KeyError` and the like if it is none."""
        return cls(
            repository=repository,
            number=int(told["number"]),
            head=_sha(told["head"]["sha"]),
            base=_sha(told["base"]["sha"]),
            base_branch=storable(told["base"]["ref"]),
            open=told["state"] == "open",
            updated_at=datetime.fromisoformat(told["updated_at"]),
            merge=_sha(merge) if (merge := told.get("merge_commit_sha")) else None,
        )

    @property
    def told(self) -> dict[str, Any]:
        """What `read` reads."""
        return {
            "number": self.number,
            "head": {"sha": self.head},
            "base": {"sha": self.base, "ref": self.base_branch},
            "state": "open" if self.open else "closed",
            "updated_at": self.updated_at.isoformat(),
            "merge_commit_sha": self.merge,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A run of a workflow, as a `workflow_run` event tells it."""

    id: int
    #: the last commit of the branch that it is of
    head: str
    #: None while it goes on
    conclusion: str | None
    url: str
    #: the branch, and whose it is: of a fork's pull request nothing else names that
    branch: str = ""
    owner: str = ""

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """From the event; `KeyError` and the like if it is none."""
        told = payload["workflow_run"]
        repository = told.get("head_repository") or {}
        return cls(
            id=int(told["id"]),
            head=str(told["head_sha"]),
            conclusion=told.get("conclusion") and str(told["conclusion"]),
            url=str(told["html_url"]),
            branch=str(told.get("head_branch") or ""),
            owner=str((repository.get("owner") or {}).get("login") or ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is to be done, and what it must not be done beside."""

    kind: Kind
    repository: str
    #: work of one key is done one after the other
    key: str
    payload: Mapping[str, Any]
    #: how the pull request stood, where the event tells it
    pull: Pull | None = None
    #: whose commands are counted
    author: str | None = None


def read_event(name: str, payload: Mapping[str, Any]) -> Event | None:
    """What a delivery means; None where it means nothing here."""
    readers = {
        "pull_request": _pull,
        "issue_comment": _comment,
        "push": _push,
        "workflow_run": _workflow,
    }
    reader = readers.get(name)
    try:
        return reader(payload, str(payload["repository"]["full_name"])) if reader else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def pull_key(repository: str, number: int) -> str:
    return f"{repository}#{number}"


def _pull(payload: Mapping[str, Any], repository: str) -> Event:
    """Closing one, or naming it anew, is noted; only other commits are run."""
    pull = Pull.read(repository, payload["pull_request"])
    action = str(payload["action"])
    runs = action in _RUNS and (action != "edited" or "base" in payload.get("changes", {}))
    return Event(
        kind=Kind.PULL,
        repository=repository,
        key=pull_key(repository, pull.number),
        payload={"number": pull.number, "runs": runs and pull.open},
        pull=pull,
    )


def _comment(payload: Mapping[str, Any], repository: str) -> Event | None:
    comment, issue = payload["comment"], payload["issue"]
    if payload["action"] != "created" or "pull_request" not in issue:
        return None
    number, author = int(issue["number"]), storable(comment["user"]["login"])
    return Event(
        kind=Kind.COMMENT,
        repository=repository,
        key=pull_key(repository, number),
        payload={
            "number": number,
            "comment": int(comment["id"]),
            "author": author,
            "bot": comment["user"].get("type") == "Bot",
            "body": storable(comment["body"])[:_BODY],
            "at": str(comment["created_at"]),
        },
        author=author,
    )


def _push(payload: Mapping[str, Any], repository: str) -> Event:
    branch = storable(payload["ref"])
    return Event(
        kind=Kind.PUSH, repository=repository, key=f"{repository} fetch", payload={"ref": branch}
    )


def _workflow(payload: Mapping[str, Any], repository: str) -> Event | None:
    if payload["action"] != "completed":
        return None
    found = Workflow.read(payload)
    return Event(
        kind=Kind.WORKFLOW,
        repository=repository,
        key=f"{repository} workflow {found.id}",
        payload={
            "id": found.id,
            "head": found.head,
            "conclusion": str(found.conclusion),
            "url": found.url,
        },
    )
