"""What GitHub sends, and what of it is believed."""

import pytest

from runner.core.pull.events import Kind, body_digest, read_event, signed

# GitHub's own example of a signature, from its documentation of webhooks.
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

PULL = {
    "number": 7,
    "state": "open",
    "head": {"sha": "a" * 40},
    "base": {"sha": "b" * 40, "ref": "main"},
    "updated_at": "2026-11-25T12:00:00Z",
    "merge_commit_sha": "c" * 40,
}
REPOSITORY = {"repository": {"full_name": "o/r"}}
COMMENT = {
    "action": "created",
    "issue": {"number": 7, "pull_request": {}},
    "comment": {
        "id": 3,
        "user": {"login": "ada", "type": "User"},
        "body": "run-slow: bert",
        "created_at": "2026-11-25T12:00:00Z",
    },
}


def test_githubs_own_example_is_believed() -> None:
    assert signed(BODY, SIGNATURE, SECRET)


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (BODY + b" ", SIGNATURE),
        (BODY, SIGNATURE[:-1] + "8"),
        (BODY, SIGNATURE.removeprefix("sha256=")),
        (BODY, None),
        (BODY, "sha256=\udcff"),
    ],
)
def test_a_forged_delivery_is_not(body: bytes, signature: str | None) -> None:
    assert not signed(body, signature, SECRET)


def test_bodies_are_told_apart_by_their_digest() -> None:
    assert body_digest(BODY) != body_digest(BODY + b" ")


@pytest.mark.parametrize(
    ("action", "runs"),
    [
        ("opened", True),
        ("synchronize", True),
        ("closed", False),
        ("labeled", False),
        ("edited", False),
    ],
)
def test_only_other_commits_are_run(action: str, runs: bool) -> None:
    event = read_event("pull_request", {"action": action, "pull_request": PULL, **REPOSITORY})
    assert event is not None
    assert event.payload == {"number": 7, "runs": runs}
    assert event.pull is not None
    assert event.pull.head == "a" * 40


def test_a_closed_pull_request_runs_nothing() -> None:
    closed = PULL | {"state": "closed"}
    event = read_event(
        "pull_request", {"action": "synchronize", "pull_request": closed, **REPOSITORY}
    )
    assert event is not None
    assert event.payload["runs"] is False


def test_a_comment_on_a_pull_request_is_work_of_that_pull_request() -> None:
    event = read_event("issue_comment", COMMENT | REPOSITORY)
    assert event is not None
    assert (event.kind, event.key, event.author) == (Kind.COMMENT, "o/r#7", "ada")


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("issue_comment", COMMENT | {"action": "edited"} | REPOSITORY),
        ("issue_comment", COMMENT | {"issue": {"number": 7}} | REPOSITORY),
        ("issue_comment", REPOSITORY),
        ("pull_request", {"action": "opened", "pull_request": {"number": "x"}, **REPOSITORY}),
        ("pull_request", {"action": "opened", "pull_request": None, "repository": None}),
        ("installation", {"action": "created"}),
        ("star", REPOSITORY),
    ],
)
def test_what_means_nothing_here_is_left_alone(name: str, payload: dict[str, object]) -> None:
    assert read_event(name, payload) is None
