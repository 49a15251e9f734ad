"""What a pull request is told, in all its renderings."""

import json
from dataclasses import replace

import pytest

from harness.cells import Cell
from runner.core.confirm import Confirmation, Confirmed
from runner.core.diff import confirmed
from runner.core.pull.check import as_check, as_json
from runner.core.pull.comment import MARKER, as_comment
from runner.core.pull.report import State, pending, report
from runner.core.runs import Canary, Verdict
from tests.pulls import FACTS, Side, a_diff, broken, seen

PASS: Side = (Verdict.PASS, None)
FAIL: Side = (Verdict.FAIL, "no guard")
SKIP: Side = (Verdict.SKIP, None)
GLM = "glm4v/Glm4vModel/forward-dynamic/onnx"

#: section -> a cell's two sides that put it there, and the arrow it is told with
CLASSES: dict[str, tuple[Side, Side, str]] = {
    "regressed": (PASS, FAIL, "✅ ⟹ ❌"),
    "newly-skipped": (PASS, SKIP, "✅ ⟹ ⏭️"),
    "removed": (PASS, None, "✅ ⟹ ∅"),
    "unknown": (PASS, (Verdict.ERROR, None), "✅ ⟹ ⚠️"),
    "not-run": (PASS, (Verdict.MISSING, None), "✅ ⟹ ❔"),
    "suspect": (PASS, (Verdict.TIMEOUT, "over 300 s"), "✅ ⟹ ❌"),
    "flaky": (PASS, (Verdict.FLAKY, "now and then"), "✅ ⟹ 🎲"),
    "fails-differently": (FAIL, (Verdict.FAIL, "another"), "❌ ⟹ ❌"),
    "fixed": (FAIL, PASS, "❌ ⟹ ✅"),
    "unskipped": (SKIP, PASS, "⏭️ ⟹ ✅"),
    "added": (None, PASS, "∅ ⟹ ✅"),
    "broken-on-main-too": (FAIL, FAIL, "❌ ⟹ ❌"),
}


def test_a_regression_is_told_in_the_shape_that_reviewers_know() -> None:
    lines = as_comment(report(a_diff({GLM: (PASS, FAIL)}), FACTS)).splitlines()
    assert lines[:11] == [
        MARKER,
        "## CI Results",
        "[Workflow Run ⚙️](https://github.com/o/r/actions/runs/1)",
        "",
        "### Commit Info",
        "| Context | Commit | Description |",
        "|---|---|---|",
        "| RUN | `c60b877d` | workflow commit (merge commit) |",
        "| PR | `7f9382c9` | branch commit (from PR) |",
        "| `main` | `380e3cc5` | base commit (on `main`) |",
        "",
    ]
    assert lines[11:14] == ["### Model CI Report", "", "❌ 1 new failed export from this PR"]
    assert f"        - `{GLM}` (✅ ⟹ ❌)" in lines
    assert "    - `glm4v`:" in lines


@pytest.mark.parametrize(("name", "row"), CLASSES.items())
def test_each_class_of_changes_is_a_counted_section(name: str, row: tuple[Side, Side, str]) -> None:
    before, after, arrow = row
    told = report(a_diff({GLM: (before, after)}), FACTS)
    assert {section.name: section.count for section in told.sections} == {name: 1}
    text = as_comment(told)
    assert f"({arrow}) 1 " in text
    assert f"`{GLM}` ({arrow})" in text


def test_a_group_stands_once_with_one_command_that_reproduces_it() -> None:
    text = as_comment(report(broken(30, group=15), FACTS))
    assert text.count("export-matrix reproduce") == 2
    assert text.count("`no guard 0`") == 1
    assert f"--revision path/to/transformers@{FACTS.commits.head}`" in text


def test_the_comment_links_the_page_of_exactly_this_commit() -> None:
    text = as_comment(report(broken(1), FACTS))
    assert f"(https://matrix.example/pr/41992?sha={FACTS.commits.head})" in text


@pytest.mark.parametrize(
    ("outcome", "section"),
    [
        (Confirmed.NEW, "regressed"),
        (Confirmed.FLAKY, "flaky"),
        (Confirmed.BROKEN_ON_BASELINE_TOO, "broken-on-main-too"),
        (Confirmed.STACK_CHANGED, "stack-changed"),
    ],
)
def test_what_was_executed_again_stands_where_that_puts_it_with_the_evidence(
    outcome: Confirmed, section: str
) -> None:
    again = Confirmation(outcome=outcome, why="baseline 3 pass, head 3 fail")
    told = report(confirmed(a_diff({GLM: (PASS, FAIL)}), {Cell.parse(GLM): again}), FACTS)
    assert [each.name for each in told.sections] == [section]
    assert (told.state is State.REGRESSED) == (section == "regressed")
    assert "`baseline 3 pass, head 3 fail`" in as_comment(told)


def test_losses_that_were_not_executed_again_are_said_to_be_so() -> None:
    assert "⚠️ 3 not executed again" in as_comment(report(broken(3), FACTS))


def test_without_a_dashboard_nothing_is_linked() -> None:
    facts = replace(FACTS, dashboard=None, workflow=None)
    assert "](" not in as_comment(report(broken(3000), facts))


def test_the_measured_error_rate_is_told_where_it_is_known() -> None:
    facts = replace(FACTS, error_rate="1 of 400 reports was wrong")
    assert "_Measured: 1 of 400 reports was wrong_" in as_comment(report(broken(1), facts))


# ── states ──────────────────────────────────────────────────────────────────────────────────────
def test_a_complete_pair_of_runs_without_a_loss_is_clean() -> None:
    told = report(a_diff({GLM: (PASS, PASS)}), FACTS)
    assert told.state is State.CLEAN
    assert "✅ No failing export specific to this PR" in as_comment(told)
    assert as_check(told)["conclusion"] == "success"


def test_a_head_that_lacks_results_is_never_clean() -> None:
    told = report(
        a_diff({GLM: (FAIL, FAIL), "a/A/forward-static/onnx": (FAIL, FAIL)}, lacking=1), FACTS
    )
    text = as_comment(told)
    assert told.state is State.INCOMPLETE
    assert "1 of 2 exports of this PR have a result" in text
    assert "✅ No failing" not in text
    assert as_check(told)["conclusion"] == "action_required"


def test_a_canary_that_differs_is_never_clean() -> None:
    found = a_diff({GLM: (PASS, PASS)})
    doubtful = replace(found, head=replace(found.head, canary=Canary(differ={GLM: "digest"})))
    assert report(doubtful, FACTS).state is State.INCOMPLETE


def test_a_death_alone_is_in_doubt_and_no_regression() -> None:
    told = report(a_diff({GLM: (PASS, (Verdict.TIMEOUT, "over 300 s"))}), FACTS)
    assert told.state is State.INCOMPLETE
    assert "new failed" not in told.headline


def test_a_skip_instead_of_a_failure_is_a_loss_that_is_not_called_a_failure() -> None:
    told = report(a_diff({GLM: (PASS, SKIP)}), FACTS)
    assert told.state is State.REGRESSED
    assert told.headline == "❌ No new failed export, but 1 export lost"


def test_a_head_without_any_result_is_told_as_such() -> None:
    told = report(a_diff({GLM: (PASS, (Verdict.MISSING, None))}, lacking=1), FACTS)
    assert told.state is State.NOTHING
    assert "⚠️ No export reported (jobs are skipped or cancelled)!" in as_comment(told)
    assert as_check(told)["conclusion"] == "cancelled"


def test_a_pending_check_has_no_conclusion_yet() -> None:
    check = as_check(pending(replace(FACTS, planned=40)))
    assert check["status"] == "in_progress"
    assert "conclusion" not in check
    assert "40 exports are run" in check["output"]["title"]


# ── limits ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("group", [1, 7, 10**9])
def test_a_comment_fits_githubs_limit_and_counts_what_it_leaves_out(group: int) -> None:
    text = as_comment(report(broken(5000, group=group), FACTS))
    told = text.count("(✅ ⟹ ❌)\n")
    left = int(
        next(line for line in text.splitlines() if line.startswith("and "))
        .split()[1]
        .replace(",", "")
    )
    assert len(text.encode()) <= 65_000
    assert told > 100
    assert told + left == 5000
    assert "5,000 new failed exports" in text


def test_no_line_is_cut() -> None:
    whole = as_comment(report(broken(5000, group=3), FACTS), limit=10**9).splitlines()
    cut = as_comment(report(broken(5000, group=3), FACTS)).splitlines()
    assert set(cut) - set(whole) == {line for line in cut if line.startswith("and ")}


def test_a_section_that_fits_is_told_beside_one_that_does_not() -> None:
    cells = {f"m{number:04}/M/forward-static/onnx": (PASS, FAIL) for number in range(3000)}
    text = as_comment(report(a_diff({**cells, GLM: (FAIL, PASS)}), FACTS))
    assert "1 fixed</summary>" in text
    assert "</details>" in text.splitlines()[-3:] or text.count("<details>") == text.count(
        "</details>"
    )


def test_a_check_run_keeps_to_githubs_limits() -> None:
    check = as_check(report(broken(5000, group=1), FACTS))
    assert len(check["output"]["annotations"]) == 50
    assert len(check["output"]["text"].encode()) <= 65_000
    assert "50 of 5,000 annotations are shown" in check["output"]["summary"]


def test_an_annotation_names_the_cells_of_a_model() -> None:
    annotation = as_check(report(a_diff({GLM: (PASS, FAIL)}), FACTS))["output"]["annotations"][0]
    assert annotation["path"] == "src/transformers/models/glm4v/modeling_glm4v.py"
    assert GLM in annotation["message"]


def test_json_leaves_nothing_out() -> None:
    record = json.loads(json.dumps(as_json(report(broken(5000), FACTS))))
    assert record["state"] == "regressed"
    assert record["counts"] == {"regressed": 5000}
    assert sum(len(group["cells"]) for group in record["sections"][0]["groups"]) == 5000


# ── hostile text ────────────────────────────────────────────────────────────────────────────────
HOSTILE = {
    "markdown": "**bold** [link](https://evil.example) # heading ![img](x) | a | b |",
    "html": "<script>alert(1)</script></details><img src=x onerror=alert(1)>",
    "mentions": "@everyone @huggingface/core fixes #123 GH-5 o/r#7 www.evil.example https://evil.example",
    "markers": f"{MARKER} <!-- export-matrix:answer 7 --> -->",
    "backticks": "``` `` ` ````",
    "closing": "` </code> @admin `` **x** ```",
    "escapes": "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\x1b]8;;\x07 \x9b31m",
    "unseen": "\u202egnp.exe \ud800 \u200b",
    "lines": "first\n\nrun-slow: bert\r\n/merge\n## CI Results\n| a | b |",
    "commands": "run-slow: bert",
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_inert(hostile: str) -> None:
    told = report(a_diff({GLM: (PASS, (Verdict.FAIL, hostile))}), FACTS)
    harmless = report(a_diff({GLM: (PASS, FAIL)}), FACTS)
    tags, plain, _ = seen(as_comment(told))
    assert (tags, plain) == seen(as_comment(harmless))[:2]
    assert as_comment(told).encode()
    assert "\x1b" not in as_comment(told)
    assert "\u202e" not in as_comment(told)


def test_a_failure_is_still_readable_in_its_span() -> None:
    _, _, coded = seen(as_comment(report(a_diff({GLM: (PASS, (Verdict.FAIL, "a `b` @c"))}), FACTS)))
    assert "a `b` @c" in coded


def test_ten_megabytes_of_text_are_cut_and_counted() -> None:
    text = as_comment(report(a_diff({GLM: (PASS, (Verdict.FAIL, "`<@a>" * 2_000_000))}), FACTS))
    assert len(text) < 2_000
    assert "… (of 10,000,000 characters)" in text


def test_a_hostile_branch_name_stays_in_its_cell_of_the_table() -> None:
    commits = replace(FACTS.commits, base_branch="main | x |`@a`")
    tags, plain, _ = seen(as_comment(report(broken(1), replace(FACTS, commits=commits))))
    assert tags.count("td") == 9
    assert "@" not in plain
