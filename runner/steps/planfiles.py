"""A plan in a file: what several machines run shares of, and what a database is told to expect.

It holds nothing of the machine that wrote it: no folder, and of the revision its name. Shares are
cut by the costs that stand in it, so all machines cut alike. A machine whose stack differs from the
plan's runs nothing of it: results must not be told of a stack that they were not made on.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import MatrixError, SelectionError
from runner.core.runs import Run
from runner.durable import write_whole
from runner.steps.plans import Plan
from runner.steps.running import open_planned
from runner.store import reads, writes
from runner.store.engine import Engine

SCHEMA = 1
_OWN = ("folder", "revision_path", "share")


def spell_plan(plan: Plan) -> str:
    """The file's text; a plan of a user's own models stays where these are."""
    if plan.own:
        raise MatrixError(
            "your own models are on this machine alone: a plan of them can't leave it"
        )
    record = {name: each for name, each in plan.to_record().items() if name not in _OWN}
    return json.dumps({"schema": SCHEMA, **record}, indent=1) + "\n"


def write_plan(plan: Plan, file: Path) -> None:
    write_whole(file, spell_plan(plan).encode())


def read_plan(file: Path, *, folder: Path) -> Plan:
    """The plan, as a run in `folder`; `MatrixError` if the file is none of this version."""
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        schema = record.pop("schema")
    except FileNotFoundError:
        raise MatrixError(f"no such file: {file}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MatrixError(f"{file} is no plan; make one with: export-matrix plan -o FILE") from None
    if schema != SCHEMA:
        raise MatrixError(
            f"{file} is a plan of schema {schema!r}, but this version reads {SCHEMA}; plan again"
        )
    try:
        here = {"folder": None, "revision_path": None, "share": record["cells"]}
        return Plan.from_record(folder / "runs" / record["uid"], record | here)
    except (KeyError, TypeError, ValueError, AttributeError, MatrixError) as error:
        raise MatrixError(f"{file} is a damaged plan ({type(error).__name__}: {error})") from None


def require_stack(plan: Plan, found: Mapping[str, str]) -> None:
    """`MatrixError` names what this machine has otherwise than the plan says."""
    names = [name for name in {**plan.stack, **found} if plan.stack.get(name) != found.get(name)]
    if names:
        told = ", ".join(
            f"{name} {found.get(name, 'none')} instead of {plan.stack.get(name, 'none')}"
            for name in sorted(names)
        )
        raise MatrixError(
            f"the plan is of another stack: here is {told}; install that, or plan here"
        )


def expect(engine: Engine, plan: Plan) -> None:
    """Have the database expect a plan's cells, before or after there are results of them."""
    with suppress(SelectionError):
        if reads.run(engine, plan.uid).expected >= len(plan.cells):
            return
    open_planned(engine, plan)


def close_if_complete(engine: Engine, plan: Plan) -> Run:
    """Close a run that was executed elsewhere, once nothing is missing."""
    run = reads.run(engine, plan.uid)
    if not run.filled or run.closed_at is not None:
        return run
    return writes.close_run(engine, plan.uid, closed_at=datetime.now(UTC), duration_s=None)
