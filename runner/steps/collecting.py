"""Tells a pull request what shards have left that ran its code in a workflow of their own.

The workflow is the pull request's: whoever wrote that wrote the workflow too, so its artifacts say
nothing but results, and of these only what is expected here. Which pull request it is, which cells
are run and what a failure is called is decided here, from GitHub and from sources that are read.
Of the artifacts only the merge that was run is taken over, once it is proven to be that merge.
"""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import GitHubError, MatrixError, RecordError
from runner.bot.artifacts import Artifact, artifacts, download
from runner.bot.pulls import pull_with, read_pull
from runner.core.foreign import Sieve
from runner.core.pull.events import Pull, Workflow
from runner.core.pull.report import Facts, Report, pending
from runner.revisions.pulls import pull_commits
from runner.steps.comparing import compare_runs
from runner.steps.handling import CANCELLED
from runner.steps.planfiles import close_if_complete
from runner.steps.plans import Plan
from runner.steps.pulls import Planned, planned, tell, tell_nothing, tell_untouched, told_of
from runner.steps.scoping import Bench, chosen, prepared
from runner.steps.unzipping import Bound, lines
from runner.store import reads, writes
from runner.store.reruns import note_reruns

#: what the workflow calls its artifacts; of the second there are many
PLAN, RESULTS, AGAIN = "export-matrix-plan", "export-matrix-results-", "export-matrix-again"
CLAIMED = "pull.json"
_SHA = re.compile("[0-9a-f]{40}")
_MOST = 512
#: bytes of a result on average, several times what the largest have; packed, as unpacked
_USUAL = 128 * 2**10
_LEAST = 16 * 2**20
_PLAN_BYTES = 2**20
#: executions of a cell on one side
_EXECUTIONS = range(1, 21)


@dataclass(slots=True)
class Collected:
    """What was told, and why what was not believed."""

    report: Report
    #: why -> lines or files
    refused: Counter[str] = field(default_factory=Counter)


def collect(
    bench: Bench, ran: Workflow, *, number: int | None = None, words: Sequence[str] = ()
) -> Collected | None:
    """Tell what the workflow's run came to; None where no open pull request has that commit.

    `number` and `words`: of a run that a command asked for, which knows them.
    """
    if number is None:
        pull = pull_with(bench.github, owner=ran.owner, branch=ran.branch, head=ran.head)
    else:
        pull = read_pull(bench.github, number)
    if pull is None or not pull.open or pull.head != ran.head:
        return None
    bench = replace(bench, workflow=ran.url)
    if ran.conclusion is None:
        return Collected(tell(bench, pending(_facts(bench, pull))))
    if ran.conclusion in CANCELLED:
        return Collected(tell_nothing(bench, pull))
    try:
        return _collected(bench, pull, ran, words)
    except GitHubError:
        raise
    except MatrixError as error:
        return Collected(tell_nothing(bench, pull, why=str(error)))


def _facts(bench: Bench, pull: Pull) -> Facts:
    commits = pull_commits(bench.checkout, pull)
    return Facts(
        number=pull.number, commits=commits, dashboard=bench.dashboard, workflow=bench.workflow
    )


def _collected(bench: Bench, pull: Pull, ran: Workflow, words: Sequence[str]) -> Collected:
    found = list(artifacts(bench.github, ran.id))
    with _downloaded(bench, found, PLAN, largest=_PLAN_BYTES) as files:
        merge = _claimed(files)
    ready = prepared(bench, pull, ran=merge, reads=True)
    cells = chosen(bench, ready, words)
    if not cells.cells:
        return Collected(tell_untouched(bench, ready, cells))
    plan = planned(bench, ready, cells)
    refused: Counter[str] = Counter()
    largest = max(_LEAST, _USUAL * (len(plan.before.cells) + len(plan.after.cells)))
    with _downloaded(bench, found, RESULTS, largest=largest) as files:
        _take(bench, plan, files, largest, refused)
    with _downloaded(bench, found, AGAIN, largest=largest) as files:
        _take_again(bench, plan, files, largest, refused)
    return Collected(told_of(bench, plan), refused)


@contextmanager
def _downloaded(
    bench: Bench, found: list[Artifact], name: str, *, largest: int
) -> Iterator[list[Path]]:
    """The artifacts of that name, in files whose names are ours, as long as they fit."""
    named = sorted((each for each in found if each.name.startswith(name)), key=lambda x: x.id)
    with tempfile.TemporaryDirectory(prefix="export-matrix-") as folder:
        files = []
        for number, each in enumerate(named[:_MOST]):
            file = Path(folder) / f"{number}.zip"
            with file.open("wb") as into:
                download(bench.github, each, into, largest=largest)
            largest -= file.stat().st_size
            files.append(file)
        yield files


def _claimed(files: list[Path]) -> str | None:
    """The merge that was run, as the workflow says; it is to be proven."""
    with_name = (
        line
        for file in files
        for name, line in lines(file, Bound(_PLAN_BYTES))
        if name.name == CLAIMED
    )
    try:
        said = str(json.loads(next(with_name, "{}")).get("run"))
    except (ValueError, AttributeError, RecursionError):
        return None
    return said if _SHA.fullmatch(said) else None


def _take(
    bench: Bench, plan: Planned, files: list[Path], largest: int, refused: Counter[str]
) -> None:
    """Add the results of both sides, and close the runs: nobody goes on with them."""
    for side in (plan.before, plan.after):
        sieve, bound = Sieve(side.uid, frozenset(side.cells)), Bound(largest)
        for file in files:
            with _refusing(refused):
                writes.ingest_results(bench.engine, sieve.through(_of(side, file, bound)))
        refused.update(sieve.refused)
        closed = close_if_complete(bench.engine, side)
        if closed.closed_at is None:
            now = datetime.now(UTC)
            writes.close_run(bench.engine, side.uid, closed_at=now, duration_s=None)


def _take_again(
    bench: Bench, plan: Planned, files: list[Path], largest: int, refused: Counter[str]
) -> None:
    """Keep what executing apparent losses again came to."""
    found = compare_runs(bench.engine, plan.before.uid, plan.after.uid)
    asked = frozenset(item.cell for item in found.cells if item.confirmation)
    for side in (plan.before, plan.after):
        sieve, bound = Sieve("", asked, _EXECUTIONS), Bound(largest)
        number = reads.run(bench.engine, side.uid).id
        for file in files:
            with _refusing(refused):
                note_reruns(bench.engine, number, sieve.through(_of(side, file, bound)))
        refused.update(sieve.refused)


def _of(side: Plan, file: Path, bound: Bound) -> Iterator[str]:
    """The lines that the file has of that run, as the names of its members say."""
    for name, line in lines(file, bound):
        parts = name.parts
        mine = any(part == side.uid or part.startswith(f"{side.uid}.") for part in parts)
        if mine and name.suffix == ".jsonl":
            yield line


@contextmanager
def _refusing(refused: Counter[str]) -> Iterator[None]:
    """Go on without what is refused whole, and count it."""
    try:
        yield
    except RecordError as error:
        refused[str(error)] += 1
