"""The shipped workflows give others' code nothing, and take no text of others for code."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS = {file.name: yaml.safe_load(file.read_text()) for file in FILES}


def _jobs(name: str) -> list[dict[str, Any]]:
    return list(WORKFLOWS[name]["jobs"].values())


def _steps(name: str) -> list[dict[str, Any]]:
    return [step for job in _jobs(name) for step in job.get("steps", [])]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_stands_in_a_script(name: str) -> None:
    assert [step["run"] for step in _steps(name) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_commit_and_keep_no_token(name: str) -> None:
    for step in _steps(name):
        if "uses" in step:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
            if step["uses"].startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_what_runs_a_pull_requests_code_may_only_read_and_has_no_secret() -> None:
    told = WORKFLOWS["pull-request.yml"]
    assert told["permissions"] == {}
    assert all(job["permissions"] == {"contents": "read"} for job in _jobs("pull-request.yml"))
    text = (ROOT / ".github/workflows/pull-request.yml").read_text()
    assert "secrets." not in text
    assert "github.token" not in text


@pytest.mark.parametrize("name", ["pull-request-report.yml", "pull-request-command.yml"])
def test_what_has_a_token_runs_no_cell(name: str) -> None:
    scripts = [step["run"] for step in _steps(name) if "run" in step]
    assert not [each for each in scripts if re.search(r"export-matrix (run|confirm)", each)]
    assert WORKFLOWS[name]["permissions"] == {}


def test_both_halves_are_given_the_same_words_for_what_is_run() -> None:
    shared = {"select", "backends", "provider", "cells"}
    for name in ("pull-request.yml", "pull-request-report.yml"):
        inputs = WORKFLOWS[name][True]["workflow_call"]["inputs"]  # YAML 1.1 reads `on` as true
        assert shared <= set(inputs)
        defaults = {key: inputs[key]["default"] for key in shared}
        assert defaults == {
            "select": "affected",
            "backends": "",
            "provider": "transformers",
            "cells": 400,
        }
