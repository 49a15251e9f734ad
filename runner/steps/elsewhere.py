"""A night whose cells are run by other machines: planned here, and what came back is told here.

- `part` writes plans and says which jobs run them; `gather` takes in what the jobs left. Between
  the two the run stands open in the database, so that whoever looks sees how far it is.
- `queued` does both: shares are work in the queue, which workers of that stack take; who starts the
  same night meanwhile waits for the same work.
- A plan is made once a night. Shares are cut from it alone, so they are the same after a restart,
  and it is told which of them lacks results: a night that lost one is incomplete.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from harness.errors import MatrixError
from runner.core.nights import Night, Told
from runner.core.plan import costs_of
from runner.core.runs import Run, Verdict
from runner.durable import write_whole
from runner.revisions import resolve
from runner.steps import running
from runner.steps.nightly import Nightly, alone, found, last_line, tell_night
from runner.steps.parting import Job, jobs, matrix
from runner.steps.pinning import Pinned
from runner.steps.planfiles import expect, read_plan, require_stack, spell_plan, write_plan
from runner.steps.plans import Plan
from runner.steps.receiving import receive_file
from runner.store import queue, reads, writes
from runner.store.engine import Engine
from runner.store.nights import nights
from runner.store.queue import Work

NIGHT = "night.json"
_POLL_S = 2.0
_ALIVE = ("queued", "taken")


def shard_kind(stack: str) -> str:
    """What work of a stack is called in the queue."""
    return f"shard {stack}"[:40]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A night that was planned for jobs, as its folder says."""

    day: date
    pinned: Pinned
    #: stack -> how many shares its jobs run
    shares: dict[str, int]


def begun_night(folder: Path) -> Begun:
    """`MatrixError` if the folder holds none."""
    try:
        told: dict[str, Any] = json.loads((folder / NIGHT).read_text(encoding="utf-8"))
        shares = {str(stack): int(count) for stack, count in told["shares"].items()}
        folder, mark, _ = told["revision"].rpartition("@")
        pinned = Pinned(
            text=told["revision"], name=told["name"], checkout=Path(folder) if mark else None
        )
        return Begun(day=date.fromisoformat(told["day"]), pinned=pinned, shares=shares)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MatrixError(
            f"{folder} holds no night; begin one with: export-matrix nightly --dispatch {folder}"
        ) from None


def part(asked: Nightly, folder: Path, *, revision: str, most: int) -> dict[str, object]:
    """Plan each stack's night into a folder; the matrix of jobs, none where it is complete.

    `revision` is what jobs give to `run --revision`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Job] = []
    for stack in asked.stacks:
        night = _night(asked, stack)
        with alone(_home(asked, night) / "lock", asked.say):
            there = found(asked.engine, night)
            plan = _planned(asked, night)
            write_plan(plan, folder / f"{stack}.json")
            if not (there and there.complete):
                made += jobs(plan, name=stack, commit=revision, most=most)
    told = {"day": asked.day.isoformat(), "revision": asked.revision, "name": asked.name}
    shares = {each.plan.removesuffix(".json"): each.shard.partition("/")[2] for each in made}
    write_whole(folder / NIGHT, (json.dumps({**told, "shares": shares}) + "\n").encode())
    return {"matrix": matrix(made), "jobs": len(made)}


def gather(asked: Nightly, folder: Path, shares: dict[str, int]) -> Iterator[Told]:
    """Take in what the jobs left below a folder, and tell each stack's night."""
    for stack in asked.stacks:
        night = _night(asked, stack)
        with alone(_home(asked, night) / "lock", asked.say):
            plan = read_plan(folder / f"{stack}.json", folder=asked.folder)
            expect(asked.engine, plan)
            refused = [
                f"{file.name}: {count} lines left out: {why}"
                for file in sorted(folder.rglob("*.jsonl"))
                if _is_of(plan, file.relative_to(folder))
                for why, count in receive_file(asked.engine, file, plan).refused.items()
            ]
            yield _told(asked, night, _closed(asked.engine, plan, shares.get(stack, 1)), refused)


def queued(asked: Nightly, *, shares: int) -> Iterator[Told]:
    """Have workers run each stack's night, and tell it."""
    begun = []
    for stack in asked.stacks:
        night = _night(asked, stack)
        with alone(_home(asked, night) / "lock", asked.say):
            plan = _planned(asked, night)
            count = _enqueue(asked, night, plan, shares)
        begun.append((night, plan, count))
    for night, plan, count in begun:
        failed = _awaited(asked, night, plan)
        with alone(_home(asked, night) / "lock", asked.say):
            yield _told(asked, night, _closed(asked.engine, plan, count), failed)


def _night(asked: Nightly, stack: str) -> Night:
    return Night(stack=stack, day=asked.day, revision=asked.name)


def _home(asked: Nightly, night: Night) -> Path:
    home = asked.home(night)
    home.mkdir(parents=True, exist_ok=True)
    return home


def _planned(asked: Nightly, night: Night) -> Plan:
    """The night's plan, made on its stack, the first time it is asked for; the run is open."""
    home = _home(asked, night)
    file, log = home / "plan.json", home / "plan.log"
    if not file.exists():
        words = ["plan", *asked.words, "--revision", asked.revision, "--name", night.uid]
        if code := asked.command(night, [*words, "-o", str(file.resolve())], log):
            raise MatrixError(f"plan ended with exit code {code}: {last_line(log)}")
    plan = read_plan(file, folder=asked.folder)
    if found(asked.engine, night) is None:
        expect(asked.engine, plan)
    return plan


def _is_of(plan: Plan, file: Path) -> bool:
    """Whether a file lies in a folder of the plan's run, or of a share of it."""
    return any(each == plan.uid or each.startswith(f"{plan.uid}.") for each in file.parts)


def _closed(engine: Engine, plan: Plan, shares: int) -> tuple[str, ...]:
    """Close the run; which shares lack results."""
    verdicts = reads.verdicts(engine, reads.run(engine, plan.uid).id)
    missing = {each.cell for each in verdicts if each.verdict is Verdict.MISSING}
    writes.close_run(engine, plan.uid, closed_at=datetime.now(UTC), duration_s=None)
    lost, costs = [], costs_of(plan.expected)
    for number in range(1, shares + 1):
        share = plan.shared(number, shares, costs=costs).share
        lacking = sum(cell in missing for cell in share)
        if lacking:
            lost.append(
                f"share {number} of {shares}: {lacking} of {len(share)} cells have no result"
            )
    return tuple(lost)


def _told(asked: Nightly, night: Night, lost: Sequence[str], more: Sequence[str]) -> Told:
    home = _home(asked, night)
    problems = (*lost, *more, *asked.confirmed(night, home))
    return tell_night(
        asked.engine, night, home, problems=problems, beside=_beside(asked.engine, night)
    )


def _beside(engine: Engine, night: Night) -> Run | None:
    """The same night on the stack that was begun first."""
    same = [
        run
        for run in nights(engine)
        if (other := Night.of(run)) and (other.day, other.revision) == (night.day, night.revision)
    ]
    return min(same, key=lambda run: run.id, default=None)


def _enqueue(asked: Nightly, night: Night, plan: Plan, shares: int) -> int:
    """Queue the shares that nobody has or waits for; how many there are."""
    if reads.run(asked.engine, plan.uid).complete:
        return 1
    cut = jobs(plan, name=night.stack, most=shares)
    kind = shard_kind(night.stack)
    known = {each.key for each in queue.work_of(asked.engine, kind, plan.uid) if _alive(each)}
    costs = costs_of(plan.expected)
    for job in cut:
        key = f"{plan.uid} {job.shard}"
        if key not in known:
            number, _, count = job.shard.partition("/")
            share = plan.shared(int(number), int(count), costs=costs).share
            mine = replace(plan, cells=share, share=share, **_only(plan, share))
            payload = {"plan": spell_plan(mine), "revision": asked.revision, "shard": job.shard}
            with asked.engine.begin() as connection:
                queue.enqueue(connection, kind=kind, key=key, payload=payload)
    asked.say(f"{plan.uid}: {len(cut)} shares are queued; `export-matrix work` runs them")
    return len(cut)


def _only(plan: Plan, share: Sequence[Any]) -> dict[str, Any]:
    mine = set(share)
    return {
        "skips": {cell: why for cell, why in plan.skips.items() if cell in mine},
        "expected": {cell: each for cell, each in plan.expected.items() if cell in mine},
    }


def _alive(each: Work) -> bool:
    return each.state in _ALIVE


def _awaited(asked: Nightly, night: Night, plan: Plan) -> tuple[str, ...]:
    """Wait until nobody has or waits for a share any more; why some failed."""
    while True:
        known = queue.work_of(asked.engine, shard_kind(night.stack), plan.uid)
        if not any(map(_alive, known)):
            break
        time.sleep(_POLL_S)
    last = {each.key: each for each in known}
    return tuple(
        f"share {each.payload['shard']}: {each.error}"
        for each in last.values()
        if each.state == "failed"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """A machine that runs shares of nights, for a worker."""

    engine: Engine
    folder: Path
    room: running.Room
    #: clone in which commits are looked up, where it lies elsewhere than where the night was begun
    checkout: Path | None = None

    def __call__(self, taken: Work) -> None:
        """Run a share; `MatrixError` if this stack is another than the plan's."""
        name = f"{taken.key.replace(' ', '.').replace('/', 'of')}"
        file = self.folder / "queued" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, str(taken.payload["plan"]).encode())
        plan = read_plan(file, folder=self.folder)
        plan = replace(plan, folder=self.folder / "runs" / name)
        resolved = resolve(self._revision(str(taken.payload["revision"])), cache=self.folder)
        require_stack(plan, running.versions(resolved))
        plan = replace(plan, revision_path=resolved.path)
        if (plan.folder / "run.json").exists():
            plan = running.resume(self.engine, name, folder=self.folder)
        else:
            running.begin(self.engine, plan)
        done = running.execute(self.engine, plan, self.room, canary_cells=0)
        if done.closed_at is None:
            raise MatrixError("pytest ended before it ran anything; see the run's logs")

    def _revision(self, text: str) -> str:
        _, mark, commit = text.partition("@")
        return f"{self.checkout}@{commit}" if mark and self.checkout else text
