"""Answers commands in comments: reads, permits, acknowledges, and queues what is to run.

A comment is answered once, however often it is taken up: the answer is marked with its number. What
is queued names the commit that the author could see, and no other is run for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from harness.errors import GitHubError, MatrixError
from runner.bot.comments import ensure_comment
from runner.bot.pulls import in_a_team, read_pull
from runner.core.pull import answers
from runner.core.pull.commands import Command, Misspelt, Verb, named_models, read_command
from runner.core.pull.events import Kind, Pull, pull_key
from runner.core.pull.permitting import HOURLY, Allowed, Asked, Refusal, refusal
from runner.revisions.pulls import committed_at
from runner.steps.pulls import lost_cells
from runner.steps.scoping import Bench, Chosen, Prepared, chosen, prepared
from runner.steps.selecting import model_classes, select
from runner.store import queue
from runner.store.pulls import head_since, pull_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on a pull request."""

    number: int
    id: int
    author: str
    bot: bool
    body: str
    at: datetime

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Comment":
        return cls(
            number=payload["number"],
            id=payload["comment"],
            author=payload["author"],
            bot=payload["bot"],
            body=payload["body"],
            at=datetime.fromisoformat(payload["at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a comment is answered, and what is to run for it."""

    body: str
    #: SELECT words; none where nothing is run
    words: tuple[str, ...] = ()
    head: str = ""
    #: whether what was run is run again
    again: bool = False
    #: the pull request as it stands, in GitHub's words; None where nothing is run
    pull: Mapping[str, Any] | None = None


def answer(bench: Bench, comment: Comment, allowed: Allowed, *, before: int = 0) -> Answer | None:
    """The answer to a comment; None where it isn't one of ours to answer.

    `before`: commands of the same author within the hour before.
    """
    command = read_command(comment.body)
    if command is None:
        return None
    pull = read_pull(bench.github, comment.number)
    refused = _refused(bench, comment, allowed, pull, command, before=before)
    if refused is not None:
        return Answer(body=answers.refused(comment.id, refused.why)) if refused.why else None
    if isinstance(command, Misspelt):
        return Answer(body=answers.misspelt(comment.id, command))
    if command.verb is Verb.HELP:
        return Answer(body=answers.helped(comment.id))
    try:
        return _accepted(bench, comment, prepared(bench, pull), command)
    except GitHubError:
        raise
    except MatrixError as error:
        return Answer(body=answers.wrong(comment.id, str(error)))


def _refused(  # noqa: PLR0913  (who asks what, where and when)
    bench: Bench,
    comment: Comment,
    allowed: Allowed,
    pull: Pull,
    command: Command | Misspelt,
    *,
    before: int,
) -> Refusal | None:
    runs = isinstance(command, Command) and command.verb is not Verb.HELP
    author = comment.author.lower()
    listed = not comment.bot and (
        author in allowed.people or in_a_team(bench.github, author, allowed.teams)
    )
    asked = Asked(
        author=comment.author,
        bot=comment.bot,
        listed=listed,
        open=pull.open or not runs,
        commented_at=comment.at,
        head_since=_since(bench, pull) if runs and listed and pull.open else comment.at,
        before=before,
    )
    return refusal(asked, hourly=HOURLY)


def _since(bench: Bench, pull: Pull) -> datetime | None:
    """Since when the head stands: as an event told, else as the merge that GitHub made of it."""
    known = head_since(bench.engine, pull.repository, pull.number, pull.head)
    if known is not None:
        return known
    commits = prepared(bench, pull).commits
    return committed_at(bench.checkout, commits.run) if commits.run != commits.head else None


def _accepted(bench: Bench, comment: Comment, ready: Prepared, command: Command) -> Answer:
    words, models, unknown = _words(bench, ready, command)
    if not words:
        return Answer(body=answers.nothing_known(comment.id, unknown))
    cells = chosen(bench, ready, words)
    if not cells.cells:
        select(bench.asked(*words), revision_path=ready.after.path)  # says why
        raise MatrixError("that selects no export of this pull request or its base")
    told = answers.Accepted(
        verb=command.verb,
        commit=ready.commits.head,
        models=models,
        unknown=unknown,
        selection=" ".join(words),
        cells=len(cells.cells),
        capped=cells.capped,
        link=_link(bench, ready, cells),
    )
    return Answer(
        body=answers.accepted(comment.id, told),
        words=tuple(words),
        head=ready.commits.head,
        again=command.verb is Verb.RERUN_FAILED,
        pull=ready.pull.told,
    )


def _words(
    bench: Bench, ready: Prepared, command: Command
) -> tuple[Sequence[str], Sequence[str], Mapping[str, Sequence[str]]]:
    """SELECT words, model types, and what names none."""
    match command.verb:
        case Verb.RUN_SLOW:
            classes = model_classes(bench.zoo, revision_path=ready.after.path)
            found = named_models(command.words, {each.model_type for each in classes})
            return [f"model:{name}" for name in found.known], found.known, found.unknown
        case Verb.RERUN_FAILED:
            cells = lost_cells(
                bench, pull_runs(bench.engine, ready.pull.number, ready.commits.head)
            )
            if not cells:
                raise MatrixError("the last report told nothing as lost")
            return [cell.id for cell in cells[: bench.most]], (), {}
        case _:
            return command.words, (), {}


def _link(bench: Bench, ready: Prepared, cells: Chosen) -> str | None:
    if bench.workflow or not bench.dashboard or not cells.cells:
        return bench.workflow
    return f"{bench.dashboard}/pr/{ready.pull.number}?sha={ready.commits.head}"


def answer_and_queue(bench: Bench, taken: queue.Work, allowed: Allowed) -> None:
    """Answer a queued comment, and queue what is to run for it."""
    comment = Comment.read(taken.payload)
    if read_command(comment.body) is None:
        return
    before = queue.asked_within(bench.engine, comment.author, kind=Kind.COMMENT, before=taken)
    found = answer(bench, comment, allowed, before=before)
    if found is None:
        return
    ensure_comment(bench.github, comment.number, found.body)
    if found.words:
        payload = {
            "number": comment.number,
            "runs": True,
            "words": found.words,
            "head": found.head,
            "fresh": str(comment.id) if found.again else "",
        }
        with bench.engine.begin() as connection:
            queue.enqueue(
                connection,
                kind=Kind.PULL,
                key=pull_key(bench.github.repository, comment.number),
                payload=payload,
            )
