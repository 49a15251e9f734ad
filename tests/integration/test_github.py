"""The bot's requests, to a GitHub on loopback: who posts, what is posted once, what waits."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from harness.errors import GitHubError
from runner.bot.comments import ensure_check, ensure_comment
from runner.bot.github import App, GitHub, Token
from runner.bot.pulls import changed_files, in_a_team, read_pull
from runner.core.pull.check import as_check
from runner.core.pull.comment import MARKER, as_comment
from runner.core.pull.report import pending, report
from tests.fakegithub import (
    APP_ID,
    REPOSITORY,
    SLUG,
    TOKEN,
    FakeGitHub,
    Trouble,
    github_on_loopback,
)
from tests.pulls import FACTS, broken

BODY = f"{MARKER}\nall is well\n"


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with github_on_loopback() as found:
        yield found


@pytest.fixture
def waited() -> list[float]:
    """The seconds that the bot would have slept."""
    return []


@pytest.fixture
def github(fake: FakeGitHub, waited: list[float]) -> Iterator[GitHub]:
    who = App(id=APP_ID, key=fake.key)
    made = GitHub(fake.address, who, REPOSITORY, sleep=waited.append)
    yield made
    made.close()


def test_an_app_posts_as_itself_with_a_token_of_its_installation(
    github: GitHub, fake: FakeGitHub
) -> None:
    assert ensure_comment(github, 7, BODY).done == "created"
    assert fake.ours == [BODY]
    assert fake.comments[0]["user"]["login"] == f"{SLUG}[bot]"


def test_an_installations_token_is_made_once_and_anew_when_it_ends(
    github: GitHub, fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_comment(github, 7, BODY)
    ensure_comment(github, 8, BODY)
    minted = "POST /app/installations/4711/access_tokens"
    assert fake.asked.count(minted) == 1
    monkeypatch.setattr("runner.bot.github._EARLY_S", 3700.0)
    ensure_comment(github, 9, BODY)
    assert fake.asked.count(minted) > 1


def test_a_token_posts_as_its_owner_but_makes_no_check_run(fake: FakeGitHub) -> None:
    with closing(GitHub(fake.address, Token(secret=TOKEN), REPOSITORY)) as github:
        assert ensure_comment(github, 7, BODY).done == "created"
        assert ensure_check(github, as_check(pending(FACTS))).done == "refused"
    assert fake.comments[0]["user"]["login"] == "ada"


def test_a_jobs_token_finds_its_comments_again(fake: FakeGitHub) -> None:
    fake.tokens["ghs_job"] = "github-actions[bot]", 10**10
    with closing(GitHub(fake.address, Token(secret="ghs_job"), REPOSITORY)) as github:
        assert ensure_comment(github, 7, BODY).done == "created"
        assert ensure_comment(github, 7, f"{BODY}more\n").done == "rewritten"
    assert len(fake.comments) == 1


def test_a_comment_is_rewritten_in_place_and_left_alone_when_equal(
    github: GitHub, fake: FakeGitHub
) -> None:
    first = ensure_comment(github, 7, BODY)
    fake.comments[0]["body"] = BODY.replace("\n", "\r\n")
    assert ensure_comment(github, 7, BODY).done == "equal"
    assert not [asked for asked in fake.asked if asked.startswith("PATCH")]
    again = ensure_comment(github, 7, as_comment(report(broken(3), FACTS)))
    assert (again.id, again.done) == (first.id, "rewritten")
    assert "3 new failed exports" in fake.ours[0]


def test_a_comment_with_our_marker_by_somebody_else_is_not_ours(
    github: GitHub, fake: FakeGitHub
) -> None:
    fake.comment(7, "eve", BODY)
    fake.comment(7, f"{SLUG}[bot]", f"an answer that quotes {BODY}", kind="Bot")
    assert ensure_comment(github, 7, f"{BODY}more\n").done == "created"
    assert fake.comments[0]["body"] == BODY


def test_our_comment_is_found_on_any_page(github: GitHub, fake: FakeGitHub) -> None:
    fake.page = 10
    for number in range(25):
        fake.comment(7, "ada", f"comment {number}")
    ensure_comment(github, 7, BODY)
    for number in range(25):
        fake.comment(7, "ada", f"comment {number}")
    assert ensure_comment(github, 7, f"{BODY}more\n").done == "rewritten"
    assert len(fake.ours) == 1


@pytest.mark.parametrize("kind", ["before", "after", "hang-up"])
def test_nothing_is_posted_twice_whenever_github_breaks(
    github: GitHub, fake: FakeGitHub, kind: str
) -> None:
    fake.troubles.append(Trouble("POST", "/comments", kind, times=2))
    ensure_comment(github, 7, BODY)
    assert fake.ours == [BODY]


@pytest.mark.parametrize(("kind", "seconds"), [("primary", 5.0), ("secondary", 7.0)])
def test_a_limit_is_waited_for_as_long_as_github_says(
    github: GitHub, fake: FakeGitHub, waited: list[float], kind: str, seconds: float
) -> None:
    fake.troubles.append(Trouble("POST", "/comments", kind))
    ensure_comment(github, 7, BODY)
    assert waited == [pytest.approx(seconds, abs=2)]
    assert fake.ours == [BODY]


def test_an_outage_that_lasts_is_told_with_when_to_try_again(
    github: GitHub, fake: FakeGitHub, waited: list[float]
) -> None:
    fake.troubles.append(Trouble("GET", "/comments", "before", times=99))
    with pytest.raises(GitHubError, match="502") as told:
        ensure_comment(github, 7, BODY)
    assert told.value.later_s is not None
    assert waited == [1, 2, 4, 8]


def test_what_is_refused_is_told_at_once_and_is_in_vain(fake: FakeGitHub) -> None:
    wrong = GitHub(fake.address, Token(secret="wrong"), REPOSITORY, sleep=pytest.fail)
    with (
        closing(wrong) as github,
        pytest.raises(GitHubError, match="401 Bad credentials") as told,
    ):
        ensure_comment(github, 7, BODY)
    assert told.value.later_s is None


def test_a_check_run_goes_from_pending_to_its_end_and_is_left_alone_when_equal(
    github: GitHub, fake: FakeGitHub
) -> None:
    ended = as_check(report(broken(3), FACTS))
    done = [ensure_check(github, check).done for check in (as_check(pending(FACTS)), ended, ended)]
    assert done == ["created", "rewritten", "equal"]
    assert [check["conclusion"] for check in fake.checks] == ["failure"]
    assert len(fake.checks[0]["output"]["annotations"]) == 1


def test_a_check_run_that_ended_otherwise_is_followed_by_another(
    github: GitHub, fake: FakeGitHub
) -> None:
    ensure_check(github, as_check(report(broken(3), FACTS)))
    ensure_check(github, as_check(report(broken(30), FACTS)))
    assert [len(check["output"]["annotations"]) for check in fake.checks] == [1, 3]


def test_the_longest_report_is_taken_by_github(github: GitHub, fake: FakeGitHub) -> None:
    told = report(broken(5000, group=1), FACTS)
    ensure_comment(github, 7, as_comment(told))
    ensure_check(github, as_check(told))
    assert "5,000 new failed exports" in fake.ours[0]


def test_pull_requests_files_and_teams_are_read(github: GitHub, fake: FakeGitHub) -> None:
    fake.pull(7, "a" * 40, "b" * 40)
    fake.page = 2
    fake.files[7] = [{"filename": f"f{n}"} for n in range(5)]
    fake.files[7].append({"filename": "new", "previous_filename": "old"})
    fake.teams["hf/core"] = {"ada"}
    assert read_pull(github, 7).head == "a" * 40
    assert changed_files(github, 7) == ["f0", "f1", "f2", "f3", "f4", "new", "old"]
    assert in_a_team(github, "ada", [("hf", "other"), ("hf", "core")])
    assert not in_a_team(github, "eve", [("hf", "core")])
