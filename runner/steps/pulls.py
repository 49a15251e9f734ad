"""Has a pull request run and told: its merge against the base, in the cells that it can affect.

- Its code is run by the executor of the bench, which keeps it from token and database, and what
  that leaves is checked. Results of the base are carried over as ever, those of a pull request
  never are: what they were made of is what they say.
- The names of the runs follow from commits and cells, so that whoever takes the work again, after a
  worker has died, goes on with them; and pull requests on one base share its run.
- It is told to whoever looks while it stands: what moved on meanwhile is not told.
"""

import hashlib
from dataclasses import dataclass, replace

from harness.cells import Cell
from runner.bot.comments import Posted, ensure_check, ensure_comment
from runner.bot.github import GitHub
from runner.bot.pulls import changed_files, read_pull
from runner.core.pull.check import as_check
from runner.core.pull.comment import as_comment
from runner.core.pull.events import Pull
from runner.core.pull.quoting import quoted
from runner.core.pull.report import Commits, Facts, Report, nothing, pending, untouched
from runner.core.pull.suggesting import suggested
from runner.core.runs import PULLS
from runner.revisions import Revision
from runner.steps import running
from runner.steps.comparing import compare_runs
from runner.steps.confirming import Confirming
from runner.steps.plans import Plan
from runner.steps.pulled import stored_report
from runner.steps.reusing import Reuse
from runner.steps.scoping import AFFECTED, Bench, Chosen, Prepared, chosen
from runner.steps.selecting import Selected
from runner.store import reads
from runner.store.pulls import PullRuns, note_runs

_AUDIT_PERCENT = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Both runs of a pull request, as planned, and what is known before them."""

    facts: Facts
    runs: PullRuns
    before: Plan
    after: Plan


def run_pull(bench: Bench, ready: Prepared, cells: Chosen, *, fresh: str = "") -> Report:
    """Run both sides, confirm what looks lost, and tell it; `fresh` makes it other runs."""
    if not cells.cells:
        return tell_untouched(bench, ready, cells)
    plan = planned(bench, ready, cells, fresh=fresh)
    tell(bench, pending(plan.facts))
    carried = Reuse(bench.engine, plan.before, cache=bench.folder, percent=_AUDIT_PERCENT)
    for side, reuse in ((plan.before, None if fresh else carried), (plan.after, None)):
        running.execute(
            bench.engine, side, bench.room, reuse=reuse, executor=bench.executor, canary_cells=0
        )
    confirm(bench, plan.runs)
    return told_of(bench, plan)


def planned(bench: Bench, ready: Prepared, cells: Chosen, *, fresh: str = "") -> Planned:
    """The runs of both sides, of those names or those that somebody began."""
    facts, commits = facts_of(bench, ready, cells), ready.commits
    what = hashlib.sha256("\n".join([fresh, *sorted(each.id for each in cells.cells)]).encode())
    name = f"{bench.github.repository.replace('/', '-')}-{what.hexdigest()[:8]}"
    base = replace(ready.before, branch=commits.base_branch)
    before = _plan(bench, cells.before, base, f"base-{commits.base[:12]}-{name}")
    after = _plan(bench, cells.after, ready.after, f"pr{facts.number}-{commits.run[:12]}-{name}")
    runs = PullRuns(
        repository=bench.github.repository,
        number=facts.number,
        commits=commits,
        scope=facts.scope,
        baseline_run=before.uid,
        head_run=after.uid,
    )
    note_runs(bench.engine, runs)
    return Planned(facts=_linked(bench, facts, after), runs=runs, before=before, after=after)


def tell_untouched(bench: Bench, ready: Prepared, cells: Chosen) -> Report:
    """Tell that there is nothing to run, and note it for the page."""
    repository, number = bench.github.repository, ready.pull.number
    note_runs(bench.engine, PullRuns(repository=repository, number=number, commits=ready.commits))
    return tell(bench, untouched(facts_of(bench, ready, cells)))


def facts_of(bench: Bench, ready: Prepared, cells: Chosen) -> Facts:
    return Facts(
        number=ready.pull.number,
        commits=ready.commits,
        dashboard=bench.dashboard,
        workflow=bench.workflow,
        scope=cells.told,
        planned=len(cells.cells),
    )


def told_of(bench: Bench, plan: Planned) -> Report:
    """Tell what the runs came to."""
    workflow = plan.facts.workflow
    found = stored_report(bench.engine, plan.runs, dashboard=bench.dashboard, workflow=workflow)
    return tell(bench, found)


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


def tell_nothing(bench: Bench, pull: Pull, *, why: str = "") -> Report:
    """Have a pull request that can't be run told as such, instead of pending for ever."""
    commits = Commits(run="", head=pull.head, base=pull.base, base_branch=pull.base_branch)
    scope = quoted(why, length=600)
    facts = Facts(number=pull.number, commits=commits, workflow=bench.workflow, scope=scope)
    return tell(bench, nothing(facts))


def post(github: GitHub, told: Report) -> tuple[Posted, Posted]:
    """Have comment and check run say it."""
    return (
        ensure_comment(github, told.facts.number, as_comment(told)),
        ensure_check(github, as_check(told)),
    )


def suggestion(bench: Bench, ready: Prepared, models: frozenset[str] | None) -> str | None:
    """The comment that suggests jobs, from the files of a pull request and what it can affect.

    `models`: the model types, where they are known: to find them takes a minute.
    """
    if models is None:
        models = chosen(bench, ready, (AFFECTED,)).models
    return suggested(changed_files(bench.github, ready.pull.number), models or ())


def suggest(bench: Bench, ready: Prepared, models: frozenset[str] | None) -> Posted | None:
    body = suggestion(bench, ready, models)
    return ensure_comment(bench.github, ready.pull.number, body) if body else None


def lost_cells(bench: Bench, runs: PullRuns) -> list[Cell]:
    """What the last report of a pull request told as lost, or in doubt."""
    found = compare_runs(bench.engine, str(runs.baseline_run), str(runs.head_run))
    return [item.cell for item in found.cells if item.loss or item.confirmation]


def _plan(bench: Bench, side: Selected, revision: Revision, uid: str) -> Plan:
    """The plan of that name: a new one, or the one that somebody began."""
    if (bench.folder / "runs" / uid / "run.json").exists():
        return running.resume(bench.engine, uid, folder=bench.folder)
    drafted = {"uid": uid, "zoo": bench.zoo, "selection": f"{PULLS}{uid}"}
    return running.start(
        bench.engine, side, revision, folder=bench.folder, drafted=drafted, limits=bench.limits
    )


def _linked(bench: Bench, facts: Facts, plan: Plan) -> Facts:
    """With the address of the run, where no job has one."""
    if bench.workflow is not None or bench.dashboard is None:
        return facts
    return replace(facts, workflow=f"{bench.dashboard}/runs/{reads.run(bench.engine, plan.uid).id}")
