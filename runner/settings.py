"""Settings: read once, from `EXPORT_MATRIX_*`; nothing else reads the process' variables."""

from functools import cache
from pathlib import Path

from pydantic import Field
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
    host: str = Field("127.0.0.1", description="Address that the dashboard listens on.")
    port: int = Field(8000, gt=0, lt=65536, description="Port that the dashboard listens on.")

    @property
    def dashboard_url(self) -> str:
        return f"http://{self.host}:{self.port}"


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()  # type: ignore[call-arg]  # every field has its default in `Field`
