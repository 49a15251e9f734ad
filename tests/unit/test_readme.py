"""README says what the code says: words, settings, commands, modules."""

import re
from enum import StrEnum
from pathlib import Path

import pytest
import typer

from harness.cells import Variant
from harness.results import Outcome, Stage
from runner.cli import app
from runner.core.change import Change
from runner.core.confirm import Confirmed
from runner.core.known import Standing
from runner.core.triage import State
from runner.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def _table(header: str) -> list[str]:
    """First column of the README's table with that header."""
    rows = re.search(rf"^\| {header} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert rows is not None, f"README has no table {header!r}"
    return re.findall(r"^\| `([^`]+)`", rows[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("outcome", Outcome),
        ("stage", Stage),
        ("change", Change),
        ("confirmation", Confirmed),
        ("standing", Standing),
        ("state", State),
    ],
)
def test_every_word_of_the_code_is_in_the_glossary(header: str, words: type[StrEnum]) -> None:
    assert _table(header) == [word.value for word in words]


def test_every_variant_is_in_the_glossary() -> None:
    assert all(f"`{variant}`" in README for variant in Variant)


def test_every_setting_is_listed_with_its_default() -> None:
    expected = [
        f"| `EXPORT_MATRIX_{name.upper()}` | `{field.default}` | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    assert [row for row in expected if row not in README] == []


def test_every_command_is_shown_and_has_help() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]  # a group, as it has subcommands
    for name, command in commands.items():
        assert command.help, name
        assert f"export-matrix {name}" in README, name


def test_the_module_map_names_every_module_and_package() -> None:
    entries = [
        path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")
        for package in ("harness", "runner", "dashboard")
        for path in sorted((ROOT / package).iterdir())
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists()
    ]
    named = re.findall(r"^\| `(\S+)` \|", README, re.MULTILINE)
    assert [entry for entry in entries if entry not in named] == []
