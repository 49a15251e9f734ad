"""How `run` ends: its summary, what it lacks, and how to go on with it."""

from dataclasses import asdict

from runner.cli.console import as_json, listed, out
from runner.core.plain import plain
from runner.core.runs import Canary, Run
from runner.core.summary import audit_line, canary_line, schedule_line, summary_line
from runner.settings import settings
from runner.steps.plans import Plan


def what_lacks(run: Run, plan: Plan) -> str:
    counted = f"incomplete: {run.received} of {run.expected} cells"
    if run.closed_at is not None:
        return f"{counted}; this share is done, the others are run elsewhere"
    logs = sorted(plan.folder.glob("shards/*.log"))
    ended = f"; pytest ended early, its log is {logs[-1]}" if logs else ""
    again = ", suspects to be retried" if run.filled else ""
    return f"{counted}{again}{ended}; {go_on(plan)}"


def go_on(plan: Plan) -> str:
    return f"go on with: export-matrix run --resume {plan.folder.name}"


def summary(done: Run, plan: Plan, *, quiet_json: bool) -> None:
    if quiet_json:
        record = {
            "run": done.uid,
            "expected": done.expected,
            "received": done.received,
            "outcomes": dict(done.verdicts),
            "complete": done.complete,
            "duration_s": done.duration_s,
            "audit": done.audit and asdict(done.audit),
            "schedule": done.schedule and asdict(done.schedule),
            "canary": done.canary and _canary(done.canary),
        }
        as_json(record)
        return
    out.print(summary_line(done.verdicts, done.duration_s or 0.0), markup=False, soft_wrap=True)
    if done.audit and (done.audit.carried or done.audit.audited):
        out.print(audit_line(done.audit), markup=False, soft_wrap=True)
        listed(f"  {plain(cell)}" for cell in done.audit.missed)
    if done.schedule:
        listed([f"schedule: {schedule_line(done.schedule)}"])
    if done.canary:
        listed([canary_line(done.canary)])
        listed(plain(f"  {id_}: {why}") for id_, why in done.canary.differ.items())
    if not done.complete:
        out.print(what_lacks(done, plan), markup=False, soft_wrap=True)
    url = f"{settings().dashboard_url}/runs/{done.id}"
    out.print(f"export-matrix serve   opens {url}", markup=False, soft_wrap=True)


def _canary(found: Canary) -> dict[str, object]:
    return {
        "compared": found.compared,
        "differ": list(found.differ),
        "why": dict(found.differ),
        "not_compared": dict(found.not_compared),
    }
