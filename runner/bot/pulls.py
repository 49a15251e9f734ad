"""Reads pull requests, their files, and who belongs to a team."""

from collections.abc import Iterable
from urllib.parse import quote

from harness.errors import GitHubError
from runner.bot.github import GitHub
from runner.core.pull.events import Pull


def read_pull(github: GitHub, number: int) -> Pull:
    """How a pull request stands now."""
    told = github.get(f"/repos/{github.repository}/pulls/{number}")
    try:
        return Pull.read(github.repository, told)
    except (KeyError, TypeError, ValueError) as error:
        raise GitHubError(f"GitHub tells no pull request {number}: {error!r}") from None


def pull_with(github: GitHub, *, owner: str, branch: str, head: str) -> Pull | None:
    """The open pull request of that branch, if that commit is its last one."""
    asked = f"state=open&head={quote(f'{owner}:{branch}', safe='')}"
    for told in github.all(f"/repos/{github.repository}/pulls?{asked}"):
        if told["head"]["sha"] == head:
            return read_pull(github, int(told["number"]))
    return None


def changed_files(github: GitHub, number: int) -> list[str]:
    """The paths that a pull request changes, old names among them; GitHub tells 3,000 at most."""
    files = github.all(f"/repos/{github.repository}/pulls/{number}/files")
    names = [file.get(key) for file in files for key in ("filename", "previous_filename")]
    return list(dict.fromkeys(name for name in names if name))


def in_a_team(github: GitHub, login: str, teams: Iterable[tuple[str, str]]) -> bool:
    """Whether somebody is an active member of one of the teams."""
    return any(
        (github.find(f"/orgs/{owner}/teams/{team}/memberships/{quote(login)}") or {}).get("state")
        == "active"
        for owner, team in teams
    )
