"""Settings: read once, from `EXPORT_MATRIX_*`; nothing else reads the process' variables."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a user can set; every command line option of the same name wins over it."""

    model_config = SettingsConfigDict(env_prefix="EXPORT_MATRIX_", frozen=True)

    database_url: str = Field(
        "sqlite:///export-matrix.db", description="SQLite file, or PostgreSQL for a team."
    )
    folder: Path = Field(
        Path(".export-matrix"), description="Where runs and fetched revisions are kept."
    )
    limits: Path | None = Field(
        None, description="TOML file of your own rules of what a cell may take."
    )
    time_limit: float | None = Field(
        None, gt=0, description="Seconds that a cell may take, whatever the rules say."
    )
    memory_limit: int | None = Field(
        None, gt=0, description="MiB of resident memory a cell may take, whatever the rules say."
    )
    known_failures: Path | None = Field(
        None, description="File of known failures of your own, beside the project's."
    )
    checkout: Path | None = Field(
        None, description="Clone of Transformers in which merge bases and commits are looked up."
    )
    memory_budget: int | None = Field(
        None, gt=0, description="MiB that all cells that run at once may take together."
    )
    ray_address: str | None = Field(
        None, description="Ray cluster that `--executor ray` runs on; else the one that Ray finds."
    )
    repository: str | None = Field(
        None, description="The repository on GitHub whose pull requests are run, `owner/name`."
    )
    github_api: str = Field("https://api.github.com", description="Address of GitHub's API.")
    github_app: str | None = Field(None, description="Id of the GitHub App that posts.")
    github_key: Path | None = Field(None, description="File of the App's private key.")
    github_token: SecretStr | None = Field(
        None, description="Token that posts instead of an App, such as a job's."
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Secret that webhooks are signed with; without it none is taken."
    )
    askers: str = Field(
        "", description="Who may have exports run by comments: `alice, @org/team`; nobody else."
    )
    pull_select: str = Field(
        "affected", description="What of a pull request is run: `affected`, or a SELECT."
    )
    pull_cells: int = Field(400, gt=0, description="Cells that are run for a pull request at most.")
    pull_provider: str = Field(
        "transformers", description="Who makes the cases of pull requests, as `--provider`."
    )
    pull_backends: str = Field(
        "", description="Backends that pull requests are run with; the usual ones if empty."
    )
    public_url: str | None = Field(
        None, description="Address at which others reach the dashboard, for links."
    )
    sign_in: Literal["auto", "local", "github", "none"] = Field(
        "auto",
        description="How people sign in: `github`, `local` (one user, on loopback), `none`; `auto` "
        "is by what else is set.",
    )
    github_url: str = Field("https://github.com", description="GitHub that people sign in with.")
    oauth_client: str | None = Field(
        None, description="Client id of the OAuth app that people sign in with."
    )
    oauth_secret: SecretStr | None = Field(None, description="That app's client secret.")
    session_hours: float = Field(12, gt=0, description="Hours after which people sign in again.")
    readers: str = Field(
        "*", description="Who may read: `*` for everybody, or `alice, @org/team, @org`."
    )
    triagers: str = Field("", description="Who may triage: `alice, @org/team, @org`.")
    admins: str = Field("", description="Who may also end sessions and revoke tokens.")
    host: str = Field("127.0.0.1", description="Address that the dashboard listens on.")
    port: int = Field(8000, gt=0, lt=65536, description="Port that the dashboard listens on.")
    hooks_private: bool = Field(
        False, description="Whether webhooks of searches may go to private networks."
    )
    snapshot: Literal["admin", "open", "off"] = Field(
        "admin", description="Who may download `/snapshot.sqlite`: `admin`, `open`, `off`."
    )
    snapshot_runs: int = Field(50, gt=0, description="The newest runs that a snapshot has.")
    upload_url: str | None = Field(None, description="Dashboard that `upload` sends results to.")
    upload_token: SecretStr | None = Field(None, description="Token that `upload` sends with.")
    slack_url: SecretStr | None = Field(
        None, description="Slack-compatible webhook that `nightly` tells."
    )
    smtp_url: SecretStr | None = Field(
        None, description="Mail server: `smtp://user:password@host:587`, or `smtps://`."
    )
    mail_from: str = Field("export-matrix@localhost", description="Sender of mail.")
    mail_to: str | None = Field(None, description="Whom `nightly` writes to, with commas between.")

    @property
    def dashboard_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


#: what no process that runs cells is given
_SECRETS = (
    "slack_url",
    "smtp_url",
    "github_token",
    "github_key",
    "webhook_secret",
    "upload_token",
    "oauth_secret",
)


def without_secrets() -> dict[str, str]:
    """The process' variables, but for how people are told: for commands that run cells."""
    hidden = {f"export_matrix_{name}" for name in _SECRETS}
    return {name: each for name, each in os.environ.items() if name.lower() not in hidden}  # noqa: TID251  (handed on)


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()  # type: ignore[call-arg]  # every field has its default in `Field`
