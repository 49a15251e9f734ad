"""Has a pull request run and told: its merge against the base, in the cells that it can affect.

- Its code is run by the executor of the bench, which keeps it from token and database, and what
  that leaves is checked. Results of the base are carried over as ever, those of a pull request
  never are: what they were made of is what they say.
- The names of the runs follow from commits and cells, so that whoever takes the work again, after a
  worker has died, goes on with them; and pull requests on one base share its run.
- It is told to whoever looks while it stands: what moved on meanwhile is not told.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cells import Cell
from harness.errors import SelectionError
from harness.zoo.base import PROVIDERS
from runner.bot.comments import Posted, ensure_check, ensure_comment
from runner.bot.github import GitHub
from runner.bot.pulls import changed_files, read_pull
from runner.core.limits import LimitRule
from runner.core.pull.check import as_check
from runner.core.pull.comment import as_comment
from runner.core.pull.events import Pull
from runner.core.pull.quoting import quoted
from runner.core.pull.report import Commits, Facts, Report, pending, untouched
from runner.core.pull.spreading import spread
from runner.core.pull.suggesting import suggested
from runner.execute.apart import run_apart
from runner.execute.shard import Executor
from runner.revisions import Revision, resolve
from runner.revisions.pulls import pull_commits
from runner.revisions.requirements import run_pip_for_others
from runner.steps import running
from runner.steps.affecting import affected
from runner.steps.comparing import compare_runs
from runner.steps.confirming import Confirming
from runner.steps.plans import Plan
from runner.steps.pulled import stored_report
from runner.steps.reusing import Reuse
from runner.steps.selecting import Asked, Selected, select
from runner.store import reads
from runner.store.engine import Engine
from runner.store.pulls import PullRuns, note_runs

AFFECTED = "affected"
_AUDIT_PERCENT = 0.0
_AXES = ("backend", "variant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where pull requests are run, and who tells of them."""

    engine: Engine
    github: GitHub
    #: clone into which pull requests are fetched
    checkout: Path
    folder: Path
    room: running.Room
    limits: tuple[LimitRule, ...]
    #: `affected`, or a SELECT
    select: str = AFFECTED
    #: cells of a pull request at most
    most: int = 400
    provider: str = "transformers"
    #: those that are run; none for the usual ones
    backends: tuple[str, ...] = ()
    #: address of the dashboard, for links
    dashboard: str | None = None
    #: address of the job that this is, in Actions
    workflow: str | None = None
    executor: Executor = run_apart
    #: whether nothing is posted
    quiet: bool = False

    def asked(self, *words: str) -> Asked:
        return Asked(words=words, backends=self.backends, zoo=self.zoo)

    @property
    def zoo(self) -> str:
        return PROVIDERS.get(self.provider, self.provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The cells of a pull request, by side, and what they are in words."""

    before: Selected
    after: Selected
    scope: str
    capped: str = ""

    @property
    def cells(self) -> set[Cell]:
        return {*self.before.cells, *self.after.cells}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A pull request whose commits are here."""

    pull: Pull
    commits: Commits
    before: Revision
    after: Revision


def prepared(bench: Bench, pull: Pull) -> Prepared:
    """Fetch a pull request and take its commits out; nothing of it is executed."""
    commits = pull_commits(bench.checkout, pull)
    before, after = (
        resolve(f"{bench.checkout}@{sha}", cache=bench.folder, pip=run_pip_for_others)
        for sha in (commits.base, commits.run)
    )
    return Prepared(pull=pull, commits=commits, before=before, after=after)


def chosen(bench: Bench, ready: Prepared, words: Sequence[str] = ()) -> Chosen:
    """The cells that are run: those of the words, else of the bench."""
    words = words or bench.select.split()
    if list(words) == [AFFECTED]:
        return _affected(bench, ready)
    if exact := _exact(words):
        backends, variants = ({getattr(cell, axis) for cell in exact} for axis in _AXES)
        everything = replace(
            bench.asked("all"), backends=sorted(backends), variants=sorted(variants)
        )
        sides = (_side(everything, side) for side in (ready.before, ready.after))
        before, after = (_only(side, exact) for side in sides)
        return _capped(bench, before, after, "what was lost, again")
    asked = bench.asked(*words)
    return _capped(bench, _side(asked, ready.before), _side(asked, ready.after), quoted(asked.text))


def _exact(words: Sequence[str]) -> set[Cell]:
    """The cells, if the words are their ids and nothing else: many globs would take minutes."""
    try:
        return {Cell.parse(word) for word in words}
    except SelectionError:
        return set()


def _affected(bench: Bench, ready: Prepared) -> Chosen:
    everything = bench.asked("all")
    found = affected(bench.engine, everything, ready.before, ready.after, cache=bench.folder)
    wanted = {*(each.cell for each in found.affected), *found.added}
    sides = (_side(everything, side) for side in (ready.before, ready.after))
    before, after = (_only(side, wanted) for side in sides)
    return _capped(bench, before, after, "what this PR's changes can affect")


def _side(asked: Asked, revision: Revision) -> Selected:
    """The cells of one side; none where that has no such model."""
    try:
        return select(asked, revision_path=revision.path)
    except SelectionError:
        return Selected(cells=(), skips={})


def _capped(bench: Bench, before: Selected, after: Selected, scope: str) -> Chosen:
    cells = {*before.cells, *after.cells}
    if len(cells) <= bench.most:
        return Chosen(before=before, after=after, scope=scope)
    kept = set(spread(cells, bench.most))
    capped = (
        f"Of {len(cells):,} exports {bench.most:,} are run, some of each model first; "
        "name models in a command to run theirs."
    )
    return Chosen(before=_only(before, kept), after=_only(after, kept), scope=scope, capped=capped)


def _only(side: Selected, wanted: set[Cell]) -> Selected:
    cells = tuple(cell for cell in side.cells if cell in wanted)
    return Selected(
        cells=cells, skips={cell: side.skips[cell] for cell in cells if cell in side.skips}
    )


def run_pull(bench: Bench, ready: Prepared, cells: Chosen, *, fresh: str = "") -> Report:
    """Run both sides, confirm what looks lost, and tell it; `fresh` makes it other runs."""
    facts = Facts(
        number=ready.pull.number,
        commits=ready.commits,
        dashboard=bench.dashboard,
        workflow=bench.workflow,
        scope=_scope(cells),
        planned=len(cells.cells),
    )
    if not cells.cells:
        return tell(bench, untouched(facts))
    what = hashlib.sha256("\n".join([fresh, *sorted(each.id for each in cells.cells)]).encode())
    name = f"{bench.github.repository.replace('/', '-')}-{what.hexdigest()[:8]}"
    before = _plan(bench, cells.before, ready.before, f"base-{ready.commits.base[:12]}-{name}")
    after = _plan(
        bench, cells.after, ready.after, f"pr{facts.number}-{ready.commits.run[:12]}-{name}"
    )
    runs = PullRuns(
        repository=bench.github.repository,
        number=facts.number,
        commits=ready.commits,
        scope=_scope(cells),
        baseline_run=before.uid,
        head_run=after.uid,
    )
    note_runs(bench.engine, runs)
    linked = _linked(bench, facts, after)
    tell(bench, pending(linked))
    carried = Reuse(bench.engine, before, cache=bench.folder, percent=_AUDIT_PERCENT)
    for plan, reuse in ((before, None if fresh else carried), (after, None)):
        running.execute(
            bench.engine, plan, bench.room, reuse=reuse, executor=bench.executor, canary_cells=0
        )
    confirm(bench, runs)
    return tell(
        bench,
        stored_report(bench.engine, runs, dashboard=bench.dashboard, workflow=linked.workflow),
    )


def confirm(bench: Bench, runs: PullRuns) -> None:
    """Execute what looks lost again, on both sides."""
    found = compare_runs(bench.engine, str(runs.baseline_run), str(runs.head_run))
    Confirming(
        engine=bench.engine,
        folder=bench.folder,
        limits=bench.limits,
        room=bench.room,
        checkout=bench.checkout,
        executor=bench.executor,
    ).run(found)


def tell(bench: Bench, told: Report) -> Report:
    """Post a report, unless the pull request has other commits by now."""
    number = told.facts.number
    if bench.quiet:
        return told
    if read_pull(bench.github, number).head == told.facts.commits.head:
        post(bench.github, told)
    return told


def post(github: GitHub, told: Report) -> tuple[Posted, Posted]:
    """Have comment and check run say it."""
    return (
        ensure_comment(github, told.facts.number, as_comment(told)),
        ensure_check(github, as_check(told)),
    )


def suggestion(bench: Bench, ready: Prepared) -> str | None:
    """The comment that suggests jobs, from the files of a pull request."""
    everything = bench.asked("all")
    found = affected(bench.engine, everything, ready.before, ready.after, cache=bench.folder)
    files = changed_files(bench.github, ready.pull.number)
    return suggested(files, {each.cell.model_type for each in found.affected})


def suggest(bench: Bench, ready: Prepared) -> Posted | None:
    body = suggestion(bench, ready)
    return ensure_comment(bench.github, ready.pull.number, body) if body else None


def lost_cells(bench: Bench, runs: PullRuns) -> list[Cell]:
    """What the last report of a pull request told as lost, or in doubt."""
    found = compare_runs(bench.engine, str(runs.baseline_run), str(runs.head_run))
    return [item.cell for item in found.cells if item.loss or item.confirmation]


def _plan(bench: Bench, side: Selected, revision: Revision, uid: str) -> Plan:
    """The plan of that name: a new one, or the one that somebody began."""
    if (bench.folder / "runs" / uid / "run.json").exists():
        return running.resume(bench.engine, uid, folder=bench.folder)
    drafted = {"uid": uid, "zoo": bench.zoo, "selection": f"of pull requests: {uid}"}
    return running.start(
        bench.engine, side, revision, folder=bench.folder, drafted=drafted, limits=bench.limits
    )


def _scope(cells: Chosen) -> str:
    return f"Run: {cells.scope}. {cells.capped}".strip()


def _linked(bench: Bench, facts: Facts, plan: Plan) -> Facts:
    """With the address of the run, where no job has one."""
    if bench.workflow is not None or bench.dashboard is None:
        return facts
    return replace(facts, workflow=f"{bench.dashboard}/runs/{reads.run(bench.engine, plan.uid).id}")
