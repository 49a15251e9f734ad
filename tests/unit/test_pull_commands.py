"""Commands in comments: how they are read, who may give them, what is answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner.core.pull import answers
from runner.core.pull.commands import Command, Misspelt, Verb, named_models, read_command
from runner.core.pull.permitting import Allowed, Asked, Refusal, refusal
from runner.core.pull.suggesting import suggested
from tests.pulls import seen

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SLOW = ("bert", "llama")


@pytest.mark.parametrize(
    "typed",
    [
        "run-slow: bert, llama",
        "run slow: bert, llama",
        "run_slow bert llama",
        "Run-Slow : bert,llama",
        "RUNSLOW: bert ,llama",
        "  run-slow: `bert`, `llama`  \n\nthanks!",
        '[run-slow]: "bert", "llama"',
        "run-slow: bert,\nllama\n\nrun-slow: gpt2",
        "/run-slow bert, llama",
        "export-matrix run-slow bert llama",
        "@export-matrix: run-slow: bert llama",
        "run-slow: [bert, llama]",
        "run-slow: bert, llama, bert",
    ],
)
def test_run_slow_is_read_as_people_type_it(typed: str) -> None:
    assert read_command(typed) == Command(verb=Verb.RUN_SLOW, words=SLOW)


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        (
            "run-export: llama backend:onnx variant:*-dynamic",
            Command(verb=Verb.RUN_EXPORT, words=("llama", "backend:onnx", "variant:*-dynamic")),
        ),
        (
            "run export llama/*/forward-*/onnx",
            Command(verb=Verb.RUN_EXPORT, words=("llama/*/forward-*/onnx",)),
        ),
        ("rerun-failed", Command(verb=Verb.RERUN_FAILED)),
        ("Rerun failed!", Command(verb=Verb.RERUN_FAILED)),
        ("export-matrix help", Command(verb=Verb.HELP)),
        ("Export Matrix: help", Command(verb=Verb.HELP)),
        ("run-slow:", Misspelt(typed="run-slow", meant=Verb.RUN_SLOW)),
        ("run-slwo: bert", Misspelt(typed="run-slwo", meant=Verb.RUN_SLOW)),
        ("run-exprot: bert", Misspelt(typed="run-exprot", meant=Verb.RUN_EXPORT)),
        ("run-slowly: bert", Misspelt(typed="run-slowly", meant=Verb.RUN_SLOW)),
        ("re-run failed", Command(verb=Verb.RERUN_FAILED)),
        ("export-matrix dance", Misspelt(typed="dance", meant=None)),
    ],
)
def test_other_commands_and_slips_are_told_apart(typed: str, command: object) -> None:
    assert read_command(typed) == command


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "help",
        "Please run-slow: bert",
        "> run-slow: bert",
        "```\nrun-slow: bert\n```",
        "Looks good.\nrun-slow: bert",
        "Rerun failed again, why?",
        "running slower: bert needs this",
        "Note: this is slow",
        "<!-- run-slow: bert -->",
    ],
)
def test_what_is_no_command_is_nobodys(typed: str) -> None:
    assert read_command(typed) is None


def test_models_are_named_with_or_without_their_folder_and_unknown_ones_get_the_nearest() -> None:
    found = named_models(["models/bert", "DeBERTa-v2", "lama"], ["bert", "deberta_v2", "llama"])
    assert found.known == ("bert", "deberta_v2")
    assert found.unknown == {"lama": ("llama",)}


# ── permission ──────────────────────────────────────────────────────────────────────────────────
FINE = Asked(
    author="ada",
    bot=False,
    listed=True,
    open=True,
    commented_at=NOON,
    head_since=NOON - timedelta(hours=1),
)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (replace(FINE, listed=False), "listed people"),
        (replace(FINE, open=False), "not open"),
        (replace(FINE, head_since=NOON + timedelta(seconds=1)), "pushed after the comment"),
        (replace(FINE, head_since=None), "pushed after the comment"),
        (replace(FINE, before=10), "10 commands within an hour"),
    ],
)
def test_a_refusal_says_why(asked: Asked, why: str) -> None:
    refused = refusal(asked)
    assert refused is not None
    assert why in (refused.why or "")


@pytest.mark.parametrize("asked", [replace(FINE, bot=True), replace(FINE, before=11)])
def test_bots_and_floods_are_not_even_answered(asked: Asked) -> None:
    assert refusal(asked) == Refusal(why=None)


def test_a_listed_person_on_an_open_pull_request_whose_head_stands_may_ask() -> None:
    assert refusal(FINE) is None


def test_people_and_teams_are_listed_as_people_type_them() -> None:
    found = Allowed.read("Ada, @bob  @huggingface/core-maintainers,")
    assert found.people == {"ada", "bob"}
    assert found.teams == (("huggingface", "core-maintainers"),)


def test_an_empty_list_allows_nobody() -> None:
    assert Allowed.read(" , ") == Allowed()


# ── answers ─────────────────────────────────────────────────────────────────────────────────────
def test_the_acknowledgement_keeps_the_words_that_reviewers_know() -> None:
    text = answers.accepted(
        7,
        answers.Accepted(
            verb=Verb.RUN_SLOW,
            commit="7f9382c9" + "0" * 32,
            models=("dia", "bert"),
            unknown={"lama": ("llama",)},
            cells=24,
            link="https://matrix.example/pr/1?sha=7f",
        ),
    )
    assert text.splitlines()[:6] == [
        "<!-- export-matrix:answer 7 -->",
        "[Workflow Run ⚙️](https://matrix.example/pr/1?sha=7f)",
        "",
        "This comment contains run-slow, running the specified jobs:",
        "",
        'models: `["models/dia", "models/bert"]`',
    ]
    assert "quantizations: `[]`" in text
    assert "there is no `lama`; nearest: `llama`" in text
    assert "24 exports of `7f9382c90000`" in text


@pytest.mark.parametrize(
    "typed", ["@admin", "<img src=x>", "`` x", "**b**", "[a](http://e.example)"]
)
def test_what_was_typed_is_inert_in_the_answer(typed: str) -> None:
    told = (
        answers.nothing_known(7, {typed: ()}),
        answers.misspelt(7, Misspelt(typed=typed, meant=None)),
    )
    for text in told:
        tags, plain, _ = seen(text)
        assert "img" not in tags
        assert "a" not in tags
        assert "@" not in plain
        assert "strong" not in tags


# ── suggestions ─────────────────────────────────────────────────────────────────────────────────
def test_jobs_are_suggested_for_changed_models_first_and_then_for_what_they_reach() -> None:
    files = [
        "src/transformers/models/dia/modular_dia.py",
        "tests/models/efficientloftr/test_modeling_efficientloftr.py",
        "src/transformers/cache_utils.py",
    ]
    text = suggested(files, ["zamba", "llama", "dia"])
    assert text is not None
    assert "**[For maintainers]** Suggested jobs to run (before merge)" in text
    assert "run-slow: dia, efficientloftr, llama, zamba" in text.splitlines()


def test_a_change_that_reaches_everything_is_capped_with_the_reason() -> None:
    text = suggested(["src/transformers/cache_utils.py"], [f"m{n:03}" for n in range(200)])
    assert text is not None
    assert "180 models more are reached by `src/transformers/cache_utils.py`; 20 are named." in text


def test_a_change_that_reaches_no_model_gets_no_suggestion() -> None:
    assert suggested(["docs/source/en/index.md", "src/transformers/models/auto/x.py"], []) is None


def test_a_hostile_file_name_is_inert() -> None:
    files = ["src/transformers/models/@all/x.py", "src/`<img>`@x.py"]
    tags, plain, _ = seen(suggested(files, [f"m{n}" for n in range(30)]) or "")
    assert "img" not in tags
    assert "@" not in plain
