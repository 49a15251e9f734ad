"""What is done for GitHub's events: pull requests are run and told, comments answered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.errors import GitHubError, MatrixError
from runner.bot.pulls import read_pull
from runner.core.pull.events import Kind, Pull
from runner.core.pull.permitting import Allowed
from runner.revisions.pulls import fetch_branch
from runner.steps.answering import answer_and_queue
from runner.steps.pulls import run_pull, suggest, tell_nothing
from runner.steps.scoping import Bench, chosen, prepared
from runner.steps.working import Handler
from runner.store.pulls import pulls_at
from runner.store.queue import Work

CANCELLED = ("cancelled", "skipped", "startup_failure", "stale")


def bot_handlers(bench: Bench, allowed: Allowed) -> dict[str, Handler]:
    """What is done for GitHub's events."""
    return {
        Kind.PULL: lambda taken: _pull(bench, taken),
        Kind.COMMENT: lambda taken: answer_and_queue(bench, taken, allowed),
        Kind.PUSH: lambda taken: _push(bench, taken),
        Kind.WORKFLOW: lambda taken: _workflow(bench, taken),
    }


def _pull(bench: Bench, taken: Work) -> None:
    """Run a pull request as it is now; for a command only the commit that it was given for."""
    number, meant = int(taken.payload["number"]), taken.payload.get("head")
    pull = read_pull(bench.github, number)
    if not pull.open or (meant and pull.head != meant):
        return
    try:
        _run(bench, pull, taken.payload)
    except GitHubError:
        raise
    except MatrixError as error:
        tell_nothing(bench, pull, why=str(error))
        raise


def _run(bench: Bench, pull: Pull, payload: Mapping[str, Any]) -> None:
    ready = prepared(bench, pull)
    words = payload.get("words") or ()
    cells = chosen(bench, ready, words)
    if not words:
        suggest(bench, ready, cells.models)
    run_pull(bench, ready, cells, fresh=str(payload.get("fresh") or ""))


def _push(bench: Bench, taken: Work) -> None:
    """Have the branch here before a pull request needs it."""
    branch = str(taken.payload["ref"]).removeprefix("refs/heads/")
    if branch != taken.payload["ref"]:
        fetch_branch(bench.checkout, branch)


def _workflow(bench: Bench, taken: Work) -> None:
    """Jobs that were skipped or cancelled are told as such, where nothing else was told."""
    if taken.payload["conclusion"] not in CANCELLED:
        return
    head = str(taken.payload["head"])
    for number in pulls_at(bench.engine, bench.github.repository, head):
        pull = read_pull(bench.github, number)
        if pull.open and pull.head == head:
            tell_nothing(replace(bench, workflow=str(taken.payload["url"])), pull)
