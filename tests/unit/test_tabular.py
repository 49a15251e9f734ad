"""Tables for other programs: what a spreadsheet would take for a formula is text."""

import csv
import io
from datetime import UTC, datetime

import pytest

from runner.core.tabular import Table, Value, as_csv


def _read(value: Value) -> str:
    table = Table(name="t", columns={"value": type(value)}, rows=[(value,)])
    return list(csv.reader(io.StringIO("".join(as_csv(table)), newline="")))[1][0]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "\uff1d1"])
def test_a_text_that_looks_like_a_formula_is_marked_as_text(text: str) -> None:
    assert _read(text) == f"'{text}"


@pytest.mark.parametrize("sign", [";", "\t", "\n"])
def test_no_formula_begins_where_another_program_takes_lines_apart(sign: str) -> None:
    assert _read(f"a{sign}=1+1") == f"a{sign}'=1+1"


@pytest.mark.parametrize("text", ["a, b", 'he said "no"', "two\nlines", "<b>&", "5 = 5"])
def test_other_texts_come_back_as_they_were(text: str) -> None:
    assert _read(text) == text


def test_numbers_stay_numbers_and_nothing_is_empty() -> None:
    found = [_read(each) for each in (-1.5, None, True, datetime(2026, 1, 2, tzinfo=UTC))]
    assert found == ["-1.5", "", "True", "2026-01-02T00:00:00+00:00"]


def test_what_no_file_takes_is_replaced() -> None:
    assert _read("nul\0 half\ud800") == "nul\ufffd half?"
