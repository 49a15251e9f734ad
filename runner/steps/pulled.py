"""What the stored runs of a pull request come to: for pages, and for the comment."""

from runner.core.pull.report import Facts, Report, report, untouched
from runner.core.selfcheck import line
from runner.steps.comparing import compare_runs
from runner.store.engine import Engine
from runner.store.moved import not_passing
from runner.store.pulls import PullRuns
from runner.store.selfchecks import selfchecks


def stored_report(
    engine: Engine, runs: PullRuns, *, dashboard: str | None = None, workflow: str | None = None
) -> Report:
    """The report; `workflow` is the address of the job, else the run's page is linked."""
    measured = selfchecks(engine, limit=1)
    facts = Facts(
        number=runs.number,
        commits=runs.commits,
        dashboard=dashboard,
        workflow=workflow,
        scope=runs.scope,
        error_rate=line(measured[0]) if measured else None,
    )
    if runs.baseline_run is None or runs.head_run is None:
        return untouched(facts)
    found = compare_runs(engine, runs.baseline_run, runs.head_run, read=not_passing)
    return report(found, facts)
