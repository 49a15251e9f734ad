"""What a run shows while it goes: on a terminal, and where there is none."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from harness.results import Stage
from runner.cli import console
from runner.core.runs import Progress, RunningCell, Verdict

LONG = "qwen3_omni_moe/Qwen3OmniMoeThinkerForConditionalGeneration/generate-cache-static/executorch"
TOLD = Progress(
    done=389,
    expected=1200,
    verdicts={Verdict.PASS: 350, Verdict.FAIL: 39},
    per_minute=24.0,
    eta_s=2030.0,
    running=(
        RunningCell(cell=LONG, attempt=1, stage=Stage.LOWER, seconds=75.0),
        RunningCell(cell="[bold]/\x1b[2J", attempt=2, stage=None, seconds=3.0),
    ),
    at=datetime(2026, 11, 24, tzinfo=UTC),
)


@pytest.mark.parametrize("width", [30, 48, 80, 160])
def test_the_picture_is_as_wide_as_the_terminal(width: int) -> None:
    screen = Console(file=io.StringIO(), width=width)
    lines = screen.render_lines(console.picture(TOLD, elapsed_s=60), pad=False)
    texts = ["".join(part.text for part in line) for line in lines]
    assert max(map(len, texts)) <= width
    assert "389/1200 cells" in texts[0]
    assert "75 s" in texts[-2] or "1 min" in texts[-2]


def test_the_picture_tells_counts_pace_time_left_and_attempts() -> None:
    screen = Console(file=io.StringIO(), width=120)
    with screen.capture() as captured:
        screen.print(console.picture(TOLD, elapsed_s=972))
    shown = captured.get()
    assert "350 pass 39 fail · 24.0 cells a minute, about 34 min left · 16 min so far" in shown
    assert "again, starting" in shown
    assert "\x1b" not in shown


def test_where_there_is_no_terminal_a_line_is_whole_and_plain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a CI, whose log is no terminal
    monkeypatch.setattr(console, "err", Console(stderr=True, highlight=False, width=40))
    monkeypatch.setattr(console, "_PLAIN_EVERY_S", 0.0)
    with console.progress(quiet=False) as tell:
        tell(TOLD)
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "389/1200 cells; 350 pass, 39 fail; 24.0 cells a minute, about 34 min left" in printed
    assert "\x1b" not in printed


def test_nothing_is_told_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress(quiet=True) as tell:
        tell(TOLD)
    assert capsys.readouterr() == ("", "")
