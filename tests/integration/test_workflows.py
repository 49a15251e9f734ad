"""The shipped workflows, step by step, over a GitHub on loopback: the YAML itself is tested."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.actions import Actions, commands
from tests.conftest import ROOT
from tests.fakegithub import REPOSITORY
from tests.pullworld import SCALED, World, pull_world
from tests.unit.test_revisions_commits import git

TOKEN = "ghs_of_a_job"
INPUTS = {
    "tool": "o/export-matrix",
    "tool-ref": "c0ffee",
    "select": SCALED,
    "backends": "toy",
    "provider": "mine",
    "askers": "ada",
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with pull_world(tmp_path, monkeypatch) as made:
        made.fake.tokens[TOKEN] = "github-actions[bot]", 10.0**12
        yield made


def _machine(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join(commands(folder / "bin")),
        "HOME": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder.parent}",
        "COLUMNS": "200",
    }


def _actions(world: World, name: str, event: dict[str, Any]) -> Actions:
    folder = world.folder / name
    folder.mkdir()
    return Actions(
        folder=folder,
        remotes={REPOSITORY: world.remote},
        repository=REPOSITORY,
        event=event,
        inputs=INPUTS,
        machine=_machine(folder),
        token=TOKEN,
        api_url=world.fake.address,
    )


def _pushed(world: World, name: str, factor: str) -> Actions:
    """The workflow of a pull request's commit, run to its end, and then what reports it."""
    head = world.commit("topic", factor)
    world.pull(7, head)
    event = {"action": "synchronize", "pull_request": dict(world.fake.pulls[7])}
    shards = _actions(world, name, event)
    shards.run("pull-request.yml")
    world.fake.artifacts = shards.artifacts
    _report(world, f"{name}-report", head)
    return shards


def _report(world: World, name: str, head: str, *, conclusion: str | None = "success") -> Actions:
    told = {
        "id": 5,
        "head_sha": head,
        "head_branch": "topic",
        "head_repository": {"owner": {"login": "someone"}, "full_name": "someone/transformers"},
        "conclusion": conclusion,
        "html_url": "https://github.example/actions/runs/5",
    }
    trusted = _actions(world, name, {"action": "completed", "workflow_run": told})
    trusted.run("pull-request-report.yml")
    assert [code for codes in trusted.ended.values() for code in codes] == [0, 0], trusted.said
    return trusted


def _comment(world: World) -> str:
    (found,) = world.fake.of("github-actions[bot]")
    return str(found["body"])


def test_a_planted_regression_is_told_by_the_workflows_and_its_fix_rewrites_the_comment(
    world: World,
) -> None:
    shards = _pushed(world, "planted", "FACTOR = 0  # the regression\n")
    assert sorted(shards.artifacts) == [
        "export-matrix-again",
        "export-matrix-plan",
        "export-matrix-results-base-1",
        "export-matrix-results-head-1",
    ], shards.said
    told = _comment(world)
    assert "❌ 1 new failed export from this PR" in told
    assert "[Workflow Run ⚙️](https://github.example/actions/runs/5)" in told
    assert "3 pass" in told, told  # executed again, in the workflow
    assert [check["conclusion"] for check in world.fake.checks] == ["failure"]
    held = [value for _, variables in shards.seen for value in variables.values()]
    assert TOKEN not in held

    # the base branch moves on while the shards of the fix run
    fixed = world.commit("topic", "FACTOR = 2  # the fix\n")
    world.pull(7, fixed)
    event = {"action": "synchronize", "pull_request": dict(world.fake.pulls[7])}
    shards = _actions(world, "fixed", event)
    shards.run("pull-request.yml")
    (world.folder / "author/README").write_text("moved on")
    author = world.folder / "author"
    git(author, "checkout", "-q", "main")
    git(author, "add", ".")
    git(author, "commit", "-q", "-m", "meanwhile")
    git(author, "push", "-q", "origin", "main")
    world.fake.artifacts = shards.artifacts
    _report(world, "fixed-report", fixed)
    assert "✅ No failing export specific to this PR" in _comment(world)


def test_a_command_in_a_comment_is_answered_run_and_told_by_the_workflows(world: World) -> None:
    head = world.commit("topic", "FACTOR = 0  # the regression\n")
    world.pull(7, head)
    asked = _actions(world, "asked", _comment_event(world, "ada", "run-slow: scaled, steady"))
    asked.artifacts = world.fake.artifacts
    asked.run("pull-request-command.yml")
    answer, report = (str(each["body"]) for each in world.fake.of("github-actions[bot]"))
    assert 'models: `["models/scaled", "models/steady"]`' in answer, asked.said
    assert "❌ 2 new failed exports from this PR" in report, asked.said
    untrusted = [held for name, held in asked.seen if not name.startswith(("answer", "report"))]
    assert untrusted
    assert not [held for held in untrusted if TOKEN in held.values()]

    stranger = _actions(world, "stranger", _comment_event(world, "eve", "run-slow: scaled"))
    stranger.run("pull-request-command.yml")
    assert "only listed people" in world.fake.of("github-actions[bot]")[-1]["body"]
    assert list(stranger.ended) == ["answer-0"]


def _comment_event(world: World, author: str, body: str) -> dict[str, Any]:
    comment = world.fake.comment(7, author, body)
    issue = {"number": 7, "pull_request": {}}
    told = {"action": "created", "comment": comment, "issue": issue}
    return told | {"repository": {"full_name": REPOSITORY}}


def test_a_night_of_jobs_that_loses_one_is_incomplete_until_the_next_start_brings_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "night").mkdir()
    inputs = {
        "tool": "o/export-matrix",
        "tool-ref": "c0ffee",
        "select": "Passes DriftsNumerically",
        "revision": "installed",
        "provider": "tests.toyzoo",
        "options": "--backend toy --variant forward-static",
    }
    actions = Actions(
        folder=tmp_path / "night",
        remotes={},
        repository="o/export-matrix",
        event={},
        inputs=inputs,
        machine=_machine(tmp_path / "night"),
        token=TOKEN,
        secrets={"slack-url": "http://127.0.0.1:9/hook-secret"},
        lost={"night-results-here-1"},
    )
    actions.run("nightly.yml")
    ends = {name.partition("-")[0]: codes for name, codes in actions.ended.items()}
    assert (ends["plan"], ends["shard"]) == ([0, 0], [0, 0]), actions.said
    told = _summary(actions, "tell-2")
    assert "2 of 2 cells have no result" in told, actions.said
    assert "share 1 of 1: 2 of 2 cells have no result" in told
    assert ends["tell"][1] == 1
    shown = [value for name, held in actions.seen for value in held.values() if "shard" in name]
    assert not [each for each in shown if "hook-secret" in each]

    actions.lost, actions.artifacts, actions.secrets = set(), {}, {}
    actions.run("nightly.yml")
    again = _summary(actions, "tell-5")
    assert "1 passed, 1 failed" in again, actions.said
    assert actions.ended["tell-5"] == [0, 0, 0], actions.said
    assert "no earlier complete run" in again

    actions.run("nightly.yml")  # a third start finds the night done
    assert list(actions.ended)[6:] == ["plan-6", "tell-7"]
    assert _summary(actions, "tell-7") == again


def _summary(actions: Actions, job: str) -> str:
    return (actions.folder / job / "summary.md").read_text()
