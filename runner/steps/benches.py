"""Where pull requests are run and told, from the settings."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import MatrixError
from harness.isolation.machine import usual_workers
from runner.bot.comments import Posted, ensure_comment
from runner.bot.github import App, GitHub, Token, Who
from runner.bot.pulls import read_pull
from runner.core.limits import project_rules
from runner.core.pull.events import Pull, Workflow
from runner.core.pull.permitting import Allowed
from runner.core.pull.report import Report
from runner.settings import Settings
from runner.steps.answering import Answer, Comment, answer
from runner.steps.collecting import Collected, collect
from runner.steps.handling import bot_handlers
from runner.steps.partpulls import Parted, part_pull
from runner.steps.pulls import post, run_pull, suggestion
from runner.steps.running import Room
from runner.steps.scoping import Bench, chosen, prepared
from runner.steps.working import Handler
from runner.store.engine import Engine


def github_of(here: Settings, *, speaks: bool = True) -> GitHub:
    """GitHub, as the App or with the token that is set; `MatrixError` says what is not.

    Who doesn't speak has no token, and asks GitHub nothing.
    """
    if not here.repository:
        raise MatrixError("set EXPORT_MATRIX_REPOSITORY to owner/name of the pull requests")
    return GitHub(here.github_api, _who(here) if speaks else Token(secret=""), here.repository)


def _who(here: Settings) -> Who:
    if here.github_app and here.github_key:
        try:
            return App(id=here.github_app, key=here.github_key.read_text())
        except OSError as error:
            raise MatrixError(f"can't read {here.github_key}: {error.strerror}") from None
    if here.github_token:
        return Token(secret=here.github_token.get_secret_value())
    raise MatrixError(
        "set EXPORT_MATRIX_GITHUB_TOKEN, or EXPORT_MATRIX_GITHUB_APP and EXPORT_MATRIX_GITHUB_KEY"
    )


def bench_of(  # noqa: PLR0913  (what a bench is made of)
    engine: Engine,
    here: Settings,
    *,
    workers: int | None = None,
    checkout: Path | None = None,
    workflow: str | None = None,
    speaks: bool = True,
) -> Bench:
    """The bench of this machine."""
    clone = checkout or here.checkout
    if clone is None:
        raise MatrixError("set EXPORT_MATRIX_CHECKOUT to a clone that pull requests are fetched to")
    return Bench(
        engine=engine,
        github=github_of(here, speaks=speaks),
        checkout=clone,
        folder=here.folder,
        room=Room(workers=workers or usual_workers(), memory_mib=here.memory_budget),
        limits=project_rules(),
        select=here.pull_select,
        most=here.pull_cells,
        provider=here.pull_provider,
        backends=tuple(here.pull_backends.replace(",", " ").split()),
        dashboard=here.public_url and here.public_url.rstrip("/"),
        workflow=workflow,
    )


def post_report(here: Settings, told: Report) -> tuple[Posted, Posted]:
    return post(github_of(here), told)


def answer_event(
    bench: Bench, here: Settings, payload: Mapping[str, Any], *, dry: bool
) -> Answer | None:
    """Answer the comment of an event; with `dry`, only say what the answer is."""
    comment = Comment.read(payload)
    found = answer(bench, comment, Allowed.read(here.askers))
    if found is not None and not dry:
        ensure_comment(bench.github, comment.number, found.body)
    return found


def run_here(bench: Bench, number: int, words: tuple[str, ...], *, dry: bool) -> Report:
    """Run a pull request now, and tell it."""
    ready = prepared(bench, read_pull(bench.github, number))
    return run_pull(replace(bench, quiet=dry), ready, chosen(bench, ready, words))


def part_here(bench: Bench, pull: Pull, folder: Path, words: tuple[str, ...], most: int) -> Parted:
    """Plan a pull request for jobs of their own."""
    return part_pull(bench, pull, folder, words=words, most=most)


def collect_here(
    bench: Bench, ran: Workflow, *, number: int | None, words: tuple[str, ...], dry: bool
) -> Collected | None:
    """Tell a pull request what its workflow has left."""
    return collect(replace(bench, quiet=dry), ran, number=number, words=words)


def suggest_here(bench: Bench, number: int, *, dry: bool) -> str | None:
    """Suggest jobs for a pull request; what the comment says."""
    ready = prepared(bench, read_pull(bench.github, number))
    body = suggestion(bench, ready, None)
    if body and not dry:
        ensure_comment(bench.github, number, body)
    return body


def handlers_of(bench: Bench, here: Settings) -> dict[str, Handler]:
    """What a worker does for GitHub's events."""
    return bot_handlers(bench, Allowed.read(here.askers))
