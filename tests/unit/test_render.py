"""What a diff and a run look like as text and Markdown."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from harness.cells import Cell
from harness.results import Stage
from runner.core.diff import Diff, diff, explained
from runner.core.inline import escape
from runner.core.owner import by_class
from runner.core.render import as_markdown, as_text
from runner.core.runs import Canary, CellVerdict, Run, Verdict
from runner.core.summary import summary_line


def _run(number: int, received: int) -> Run:
    return Run(
        id=number,
        uid=f"run-{number}",
        revision=f"5.{number}.0",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        closed_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
        expected=20,
        verdicts={Verdict.PASS: received},
    )


def _regressed(count: int, title: str, *, received: int = 20) -> Diff:
    cells = [Cell.parse(f"m{number:02}/M/forward-static/onnx") for number in range(count)]
    return diff(
        _run(1, 20),
        _run(2, received),
        [CellVerdict(cell=cell, verdict=Verdict.PASS) for cell in cells],
        [
            CellVerdict(cell=cell, verdict=Verdict.FAIL, signature="s1-aa", title=title)
            for cell in cells
        ],
    )


@pytest.mark.parametrize(
    ("seconds", "line"),
    [
        (3.2, "389 passed, 87 skipped, 12 failed in 3.20s"),
        (143.73, "389 passed, 87 skipped, 12 failed in 143.73s (0:02:23)"),
    ],
)
def test_the_summary_speaks_pytests_words(seconds: float, line: str) -> None:
    counts = {Verdict.FAIL: 12, Verdict.PASS: 389, Verdict.SKIP: 87}
    assert summary_line(counts, seconds) == line


def test_missing_cells_are_in_the_summary() -> None:
    assert "3 missing" in summary_line({Verdict.PASS: 1, Verdict.MISSING: 3}, 1.0)


def test_a_group_stands_once_and_says_how_many_cells_it_leaves_out() -> None:
    told = as_markdown(_regressed(15, "no kernel"))
    assert told.count("no kernel") == 1
    assert told.count("(✅ ⟹ ❌)") == 12
    assert "and 3 more" in told


def test_every_section_is_counted() -> None:
    assert "15 regressed" in as_text(_regressed(15, "no kernel"))
    assert "#### 15 regressed" in as_markdown(_regressed(15, "no kernel"))


def test_an_incomplete_diff_is_never_good_news() -> None:
    told = as_text(_regressed(0, "", received=19))
    assert "⚠️ incomplete" in told
    assert "19 of 20" in told


def test_losses_of_an_incomplete_diff_may_not_be_all() -> None:
    found = _regressed(3, "no kernel", received=19)
    assert "❌ 3 exports lost; incomplete, there may be more" in as_text(found)
    assert "❌ 3 exports lost; incomplete, there may be more" in as_markdown(found)


def test_a_diff_of_a_run_whose_canary_differs_is_never_good_news() -> None:
    found = _regressed(0, "")
    doubted = replace(found.head, canary=Canary(differ={"m/M/forward-static/onnx": "other bytes"}))
    assert "✅" in as_text(found)
    assert "✅" not in as_text(replace(found, head=doubted))
    assert "⚠️ in doubt" in as_markdown(replace(found, baseline=doubted))


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "`code` **bold**",
        "a | b",
        "@maintainer",
        "line\nbreak",
        "[x](http://y)",
    ],
)
def test_what_a_model_printed_stays_text_in_markdown(hostile: str) -> None:
    told = escape(hostile)
    assert "<" not in told
    assert "\n" not in told
    assert "@m" not in told
    for sign in "`*|[":
        assert told.count(sign) == told.count(f"\\{sign}")


@pytest.mark.parametrize(
    ("hostile", "reference"),
    [
        ("fixed in #123", "#123"),
        ("see o/r#123", "r#123"),
        ("see GH-123", "GH-123"),
        ("a@b.example", "@b"),
        ("since 7f9382c9aa", "7f9382c9aa"),
        ("since 7f9382c911111111111111111111111111111111", "7f9382c911"),
        ("www.evil.example", "www.evil"),
        ("https://evil.example", "https://"),
    ],
)
def test_nothing_is_a_reference_once_markdown_has_undone_the_escapes(
    hostile: str, reference: str
) -> None:
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(escape(hostile))
    assert reference not in shown
    assert reference in shown.replace("\u200b", "")


def test_terminal_sequences_of_a_title_are_taken_out() -> None:
    assert "\x1b" not in as_text(_regressed(1, "\x1b[31mred\x1b[0m"))
    assert "red" in as_text(_regressed(1, "\x1b[31mred\x1b[0m"))


def test_an_export_that_now_dies_is_in_doubt_and_not_good_news() -> None:
    cell = Cell.parse("m/M/forward-static/onnx")
    before = [CellVerdict(cell=cell, verdict=Verdict.PASS)]
    after = [CellVerdict(cell=cell, verdict=Verdict.CRASH)]
    assert "1 export in doubt" in as_text(diff(_run(1, 20), _run(2, 20), before, after))


def test_a_root_stands_once_with_its_dependants_and_its_group_with_its_owner() -> None:
    names = ["LlamaForCausalLM", "LlamaForTokenClassification", "LlamaModel"]
    cells = [Cell.parse(f"llama/{name}/forward-static/onnx") for name in names]
    llava = Cell.parse("llava/LlavaModel/forward-static/onnx")
    failed = [
        CellVerdict(
            cell=cell,
            verdict=Verdict.FAIL,
            stage=Stage.LOWER,
            owner="onnxscript",
            signature="s1-aa",
            title="no kernel",
        )
        for cell in (*cells, llava)
    ]
    passed = [CellVerdict(cell=each.cell, verdict=Verdict.PASS) for each in failed]
    dynamo = Cell.parse("llama/LlamaModel/forward-static/dynamo")
    witness = CellVerdict(cell=dynamo, verdict=Verdict.PASS)
    found = explained(
        diff(_run(1, 20), _run(2, 20), passed, failed),
        before={},
        after=by_class([*failed, witness]),
        made_of={llava: ["transformers.models.llama.modeling_llama:LlamaModel"]},
    )
    dependants = "and 3 dependants: LlamaForCausalLM, LlamaForTokenClassification, llava/LlavaModel"
    evidence = (
        "1 of 4 cells: dynamo passes the same case; 3 of 4 cells: dynamo was not asked → onnxscript"
    )
    for told in (as_text(found), as_markdown(found)):
        assert told.count("llama/LlamaModel/forward-static/onnx") == 1
        assert "more" not in told
        assert dependants in told
        assert evidence in told.replace("\\", "")


def test_cells_beyond_the_told_roots_are_counted_with_their_dependants() -> None:
    models = [_cell(f"m{number:02}/Model") for number in range(14)]
    heads = [_cell(f"m{number:02}/ModelForCausalLM") for number in range(14)]
    failed = [
        CellVerdict(cell=cell, verdict=Verdict.FAIL, signature="s1-aa", title="op")
        for cell in (*models, *heads)
    ]
    passed = [CellVerdict(cell=each.cell, verdict=Verdict.PASS) for each in failed]
    found = diff(_run(1, 28), _run(2, 28), passed, failed)
    found = explained(found, before={}, after=by_class(failed), made_of={})
    assert "    and 4 more" in as_text(found).splitlines()


def _cell(name: str) -> Cell:
    return Cell.parse(f"{name}/forward-static/onnx")
