"""Pull requests for tests: their diffs, and what GitHub would make of their Markdown."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from harness.cells import Cell
from harness.results import Stage
from runner.core.diff import Diff, diff
from runner.core.pull.report import Commits, Facts
from runner.core.runs import CellVerdict, Run, Verdict

COMMITS = Commits(run="c60b877d" + "0" * 32, head="7f9382c9" + "1" * 32, base="380e3cc5" + "2" * 32)
FACTS = Facts(
    number=41992,
    commits=COMMITS,
    dashboard="https://matrix.example",
    workflow="https://github.com/o/r/actions/runs/1",
)

Side = tuple[Verdict, str | None] | None


def verdict(cell: str, verdict: Verdict, title: str | None = None) -> CellVerdict:
    failed = verdict in (Verdict.FAIL, Verdict.TIMEOUT, Verdict.CRASH, Verdict.FLAKY)
    return CellVerdict(
        cell=Cell.parse(cell),
        verdict=verdict,
        stage=Stage.CAPTURE if failed else None,
        signature=_signature(title) if title else None,
        title=title,
        reason="needs timm" if verdict is Verdict.SKIP else None,
    )


def _signature(title: str) -> str:
    return f"s1-{hashlib.sha256(title.encode(errors='replace')).hexdigest()[:12]}"


def a_run(number: int, *, expected: int, received: int) -> Run:
    return Run(
        id=number,
        uid=f"run-{number}",
        revision="abc",
        stack={"torch": "2.13"},
        selection="smoke",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        closed_at=datetime(2026, 11, 23, 1, tzinfo=UTC),
        expected=expected,
        verdicts={Verdict.PASS: received},
    )


def a_diff(cells: Mapping[str, tuple[Side, Side]], *, lacking: int = 0) -> Diff:
    """A diff of two runs over these cells; `lacking` of the head's have no result."""
    sides: tuple[list[CellVerdict], list[CellVerdict]] = [], []
    for cell, pair in cells.items():
        for found, side in zip(sides, pair, strict=True):
            if side is not None:
                found.append(verdict(cell, *side))
    count = len(cells)
    return diff(
        a_run(1, expected=count, received=count),
        a_run(2, expected=count, received=count - lacking),
        *sides,
    )


def broken(count: int, title: str = "no guard", *, group: int = 10**9) -> Diff:
    """So many regressed cells, in groups of `group`, ten to a model."""
    passed = (Verdict.PASS, None)
    return a_diff(
        {
            f"m{number // 10:04}/M{number % 10}/forward-static/onnx": (
                passed,
                (Verdict.FAIL, f"{title} {number // group}"),
            )
            for number in range(count)
        }
    )


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.plain: list[str] = []
        self.coded: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self._code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        (self.coded if self._code else self.plain).append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"<!--{data}-->")


def seen(markdown: str) -> tuple[list[str], str, str]:
    """Of what a reader is shown: HTML tags and comments, text outside code, text inside it."""
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    parser = _Seen()
    parser.feed(shown)
    return parser.tags, "".join(parser.plain), "".join(parser.coded)
