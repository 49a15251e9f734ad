"""A file of known failures is read strictly."""

from datetime import date
from importlib.resources import files

import pytest

from harness.errors import KnownFailureError
from harness.results import Outcome, Stage
from runner.core.known_file import read_known

ROW = """[[known]]
cells = "mamba/*/forward-dynamic/onnx"
stage = "lower"
kind = "missing-conversion"
reason = "no conversion"
link = "https://example.org/1"
added_on = 2026-11-25
expires_on = 2027-02-25
"""


def test_a_row_says_what_is_expected_and_where_it_stands() -> None:
    text = (
        f"# a word before\n\n{ROW}\n# of the next\n{ROW.replace('lower', 'infer')}outcome = 'oom'\n"
    )
    first, second = read_known(text, file="mine.toml")
    assert (first.stage, first.outcome, first.kind) == (Stage.LOWER, None, "missing-conversion")
    assert first.expires_on == date(2027, 2, 25)
    assert (second.stage, second.outcome) == (Stage.INFER, Outcome.OOM)
    assert [first.place, second.place] == ["mine.toml:3-10", "mine.toml:13-21"]


def _changed(old: str, new: str) -> str:
    assert old in ROW
    return ROW.replace(old, new)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[known", "mine.toml: not TOML"),
        ("[known]\n", "mine.toml: write rows as [[known]]"),
        (f"{ROW}[other]\n", "write rows as [[known]], and nothing else"),
        ("known = [{cells = 'a'}]", "begins with [[known]] on a line of its own"),
        (_changed("stage", "stege"), "mine.toml:1: unknown key 'stege'; did you mean 'stage'?"),
        (_changed('"lower"', '"lowr"'), "unknown stage 'lowr'; did you mean 'lower'?"),
        (_changed("stage", "outcome"), "unknown outcome 'lower'"),
        (f"{ROW}outcome = 'skip'", "unknown outcome 'skip'"),
        (_changed('"no conversion"', "3"), "reason is not a text"),
        (_changed('"no conversion"', '" "'), "reason is empty"),
        (_changed("2027-02-25", '"2027"'), "expires_on is not a date such as"),
        (_changed("2027-02-25", "2027-02-25T10:00:00"), "expires_on is not a date such as"),
        (_changed("2027-02-25", "2026-11-25"), "expires_on is not after added_on"),
        (_changed("expires_on = 2027-02-25\n", ""), "expires_on is missing"),
        (_changed("https://", "see "), "link is not the address of an issue"),
        (_changed("forward-dynamic", "forward-dynamik"), "no variant is 'forward-dynamik'"),
        (_changed("mamba/*/forward-dynamic/onnx", "a/b/c/d/e"), "cells: 'a/b/c/d/e' has more"),
        (_changed("mamba/*/forward-dynamic/onnx", "outcome:fail"), "cells: outcome: says what"),
        (_changed("mamba/*/forward-dynamic/onnx", "modle:mamba"), "did you mean 'model'"),
    ],
)
def test_a_wrong_row_is_one_line_that_names_file_and_row(text: str, says: str) -> None:
    with pytest.raises(KnownFailureError) as told:
        read_known(text, file="mine.toml")
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_the_projects_own_file_is_right_and_its_example_too() -> None:
    text = files("runner").joinpath("known_failures.toml").read_text()
    read_known(text, file="known_failures.toml")
    example = text[text.index("# [[known]]") :].splitlines()
    (row,) = read_known("\n".join(line[2:] for line in example if line.startswith("# ")), file="x")
    assert row.stage is Stage.LOWER
