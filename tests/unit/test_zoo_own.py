"""The user's own models: which cases a file or folder has, read without running it."""

import json
from pathlib import Path

import pytest

from harness.errors import SelectionError
from harness.zoo.base import load_zoo

FILE = """
raise RuntimeError("only read, never run")

def small_llama():
    return 1, {}

def with_parameters(size):
    return size

def _helper():
    return 0
"""


def test_the_cases_of_a_file_are_its_public_functions_without_parameters(tmp_path: Path) -> None:
    path = tmp_path / "my_models.py"
    path.write_text(FILE)
    (found,) = load_zoo(str(path)).discover()
    assert (found.model_type, found.name) == ("my_models", "small_llama")


def test_a_file_that_says_what_is_public_is_taken_at_its_word(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text('__all__ = ["a"]\n\ndef a():\n    pass\n\ndef b():\n    pass\n')
    assert [found.name for found in load_zoo(str(path)).discover()] == ["a"]


def test_a_saved_folder_is_one_case(tmp_path: Path) -> None:
    record = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(record))
    (found,) = load_zoo(str(tmp_path)).discover()
    assert (found.model_type, found.name) == ("llama", "LlamaForCausalLM")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("absent.py", None, "neither a Python file nor a folder"),
        ("broken.py", "def (", "can't be read as Python"),
        ("empty.py", "x = 1", "no public function"),
        ("config.json", "{}", "neither a Python file nor a folder"),
    ],
)
def test_what_holds_no_case_is_refused_with_what_would(
    tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(SelectionError, match=says):
        load_zoo(str(tmp_path / name)).discover()


def test_a_configuration_without_an_architecture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(SelectionError, match="architectures"):
        load_zoo(str(tmp_path)).discover()
