"""Pull requests from webhook to comment, in real processes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from runner.store import tables
from tests.fakegithub import SECRET
from tests.pulls import seen
from tests.pullworld import SCALED, World, pull_world
from tests.unit.test_revisions_commits import git

STEALS = """
import os, pathlib
FACTOR = 2
told = []
for pid in (os.getpid(), os.getppid()):
    told.append(pathlib.Path(f"/proc/{pid}/environ").read_bytes().replace(b"\\0", b"\\n").decode())
pathlib.Path(SEEN).write_text("\\n".join(told))
for file in pathlib.Path(FOLDER).rglob("*.jsonl"):
    with file.open("ab") as out:
        out.write(b'{"schema": 1, "run": "nightly", "cell": "a/A/forward-static/toy", ')
        out.write(b'"outcome": "pass"}\\n')
        out.write(b"\\xff\\xfe no result\\n" + b"x" * 5000 + b"\\n")
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with pull_world(tmp_path, monkeypatch) as made:
        yield made


def test_a_planted_regression_is_told_and_its_fix_rewrites_the_comment(world: World) -> None:
    planted = world.commit("topic", "FACTOR = 0  # the regression\n")
    assert world.pull(7, planted).status_code == 202
    world.work()
    body = world.report()
    assert world.states() == [("done", None)]
    assert "❌ 1 new failed export from this PR" in body
    assert f"`{SCALED}` (✅ ⟹ ❌)" in body
    assert f"| PR | `{planted[:8]}` | branch commit (from PR) |" in body
    assert "3 pass" in body, body
    assert re.search(r"\[Workflow Run ⚙️\]\(https://matrix.example/runs/\d+\)", body)
    tags, plain, coded = seen(body)
    assert "img" not in tags
    assert "@everyone" not in plain
    assert "<img src=x> @everyone" in coded
    assert [check["conclusion"] for check in world.fake.checks] == ["failure"]

    world.says(7, "ada", "rerun-failed")
    world.work()
    assert f"exports: `{SCALED}`\n\n1 export of" in world.answers()[0]
    assert "❌ 1 new failed export from this PR" in world.report()

    fixed = world.commit("topic", "FACTOR = 2  # the fix\n")
    world.pull(7, fixed, "synchronize")
    world.work()
    assert "✅ No failing export specific to this PR" in world.report()
    assert f"`{fixed[:8]}`" in world.report()
    conclusions = [check["conclusion"] for check in world.fake.checks]
    assert conclusions == ["failure", "failure", "success"]
    _pages_tell(world, planted, fixed)


def _pages_tell(world: World, planted: str, fixed: str) -> None:
    page = httpx2.get(world.hook.replace("/webhooks/github", f"/pr/7.json?sha={planted[:8]}"))
    assert page.json()["state"] == "regressed"
    assert [each["head"] for each in page.json()["pushes"]] == [fixed, planted]
    asked = world.hook.replace("/webhooks/github", "/pr/7")
    assert "<h1>✅ No failing export" in httpx2.get(f"{asked}?sha={fixed[:8]}").text
    told = httpx2.get(f"{asked}?sha={planted[:8]}").text
    assert "<h1>❌ 1 new failed export from this PR" in told
    assert f"reproduce {SCALED}" in told
    assert "<img src=x>" not in told
    assert f'href="/pr/7?sha={fixed}"' in told


def test_run_slow_is_for_listed_people_and_for_the_commit_that_they_saw(world: World) -> None:
    head = world.commit("topic", "FACTOR = 2  # the same\n")
    world.pull(7, head)
    with world.engine.begin() as connection:
        connection.execute(tables.work.delete())  # the pull request itself is another test's
    world.says(7, "eve", "run-slow: scaled")
    world.says(7, "ada", "Thanks!")
    world.says(7, "export-matrix[bot]", "run-slow: scaled")
    world.says(7, "ada", "run slow: models/steady, scalde")
    world.work()
    refused, accepted = world.answers()  # not to a comment that asks for nothing, nor to a bot
    assert "Nothing is run: only listed people and teams" in refused
    assert 'models: `["models/steady"]`' in accepted
    assert "there is no `scalde`; nearest: `scaled`" in accepted
    assert "2 exports of" in accepted
    assert "`model:steady backend:toy`" in world.report()
    assert "✅ No failing export" in world.report()

    world.says(7, "ada", "run-slow: scaled")
    world.pull(7, world.commit("topic", "FACTOR = 0\n"), "closed")
    world.work()
    assert "commits were pushed after the comment" in world.answers()[-1]


def test_what_can_not_be_run_is_told_with_the_reason_instead_of_pending_for_ever(
    world: World,
) -> None:
    git(world.folder / "author", "rm", "-q", "-r", "src/transformers/exporters")
    world.pull(7, world.commit("topic", "FACTOR = 2\n"))
    world.work()
    assert "⚠️ No export reported" in world.report()
    assert "has no transformers.exporters" in world.report()
    assert [check["conclusion"] for check in world.fake.checks] == ["cancelled"]
    assert [state for state, _ in world.states()] == ["failed"]


def test_a_workflow_that_was_cancelled_is_told(world: World) -> None:
    head = world.commit("topic", "FACTOR = 2\n")
    world.pull(7, head)
    with world.engine.begin() as connection:
        connection.execute(tables.work.delete())
    ended = {
        "id": 5,
        "head_sha": head,
        "conclusion": "cancelled",
        "html_url": "https://ci.example/5",
    }
    world.deliver("workflow_run", {"action": "completed", "workflow_run": ended})
    world.deliver("push", {"ref": "refs/heads/main"})
    world.work()
    assert "[Workflow Run ⚙️](https://ci.example/5)" in world.report()
    assert "⚠️ No export reported" in world.report()
    assert [state for state, _ in world.states()] == ["done", "done"]


def test_deliveries_that_are_forged_repeated_or_late_do_nothing(world: World) -> None:
    first = world.commit("topic", "FACTOR = 0\n")
    assert world.pull(7, first, secret="another").status_code == 401
    late = dict(world.fake.pulls[7])
    second = world.commit("topic", "FACTOR = 2\n")
    assert world.pull(7, second, "synchronize", delivery="one").status_code == 202
    newest = dict(world.fake.pulls[7])
    payload = {"action": "synchronize", "pull_request": newest}
    assert (
        world.deliver("pull_request", payload, delivery="one").json()["delivery"] == "seen before"
    )
    assert (
        world.deliver("pull_request", payload, delivery="two").json()["delivery"] == "seen before"
    )
    world.deliver("pull_request", {"action": "opened", "pull_request": late}, delivery="three")
    assert [state for state, _ in world.states()] == ["queued"]
    assert world.deliver("ping", {"zen": "…"}).status_code == 200
    elsewhere = httpx2.post(world.hook, content=b"{}", headers={"X-GitHub-Event": "ping"})
    assert elsewhere.status_code == 401


def test_a_pull_request_sees_no_secret_and_is_believed_only_what_was_asked_for(
    world: World,
) -> None:
    names = {"SEEN": str(world.folder / "seen.txt"), "FOLDER": str(world.folder)}
    code = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    world.pull(7, world.commit("topic", code + STEALS))
    world.work()
    stolen = (world.folder / "seen.txt").read_text()
    assert "PATH=" in stolen
    assert "EXPORT_MATRIX_DATABASE_URL" not in stolen
    assert SECRET not in stolen
    assert "✅ No failing export" in world.report()
    runs = httpx2.get(world.hook.replace("webhooks/github", "runs.json")).json()
    assert not [run for run in json.dumps(runs).split('"') if run == "nightly"]
