"""The images and the compose file fit each other, and the command line."""

import re

import typer
import yaml

from runner.cli import app
from tests.conftest import ROOT

DOCKERFILE = (ROOT / "docker/Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
STAGES = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.M | re.S))


def test_every_image_that_runs_is_one_of_the_dockerfile_and_not_of_root() -> None:
    targets = {each["build"]["target"] for each in SERVICES.values() if "build" in each}
    assert targets == {"dashboard", "worker"}
    for target in targets:
        assert re.findall(r"^USER (\w+)", STAGES[target], re.M)[-1] == "1000"


def test_the_dashboard_can_write_nowhere_but_to_its_temporary_files() -> None:
    assert SERVICES["dashboard"]["read_only"] is True
    assert SERVICES["dashboard"]["tmpfs"] == ["/tmp"]
    assert "HEALTHCHECK" in STAGES["dashboard"]
    assert "exporters" not in STAGES["dashboard"]


def test_nothing_starts_before_the_migrations_are_done() -> None:
    waiting = {"dashboard", "worker", "nightly"}
    for name in waiting:
        after = SERVICES[name]["depends_on"]["migrations"]
        assert after["condition"] == "service_completed_successfully"


def test_what_services_run_are_commands() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group
    text = DOCKERFILE + str([each.get("command") for each in SERVICES.values()])
    used = set(re.findall(r"export-matrix['\"]?,? ['\"]?(\w+)", text))
    assert used >= {"serve", "work", "nightly", "db"}
    assert [name for name in used if name not in known] == []
