"""No page's cost grows with history: what it asks of the large tables is found by their indexes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from dashboard.app import create_app
from runner.store import reads
from runner.store.engine import Engine
from tests import big

#: they grow by every run
_HISTORY = ("result", "verdict", "text", "fingerprint", "rerun")


@pytest.fixture
def filled(engine: Engine) -> Engine:
    big.fill(engine, runs=6, cells_a_run=240, groups=30)
    if engine.dialect.name == "sqlite":
        # What it counted says that all of the history is six runs.
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE sqlite_stat1")
        engine.dispose()
    return engine


def _addresses(engine: Engine) -> list[str]:
    run = reads.run(engine, "latest").id
    failed = next(each for each in reads.verdicts(engine, run) if each.signature)
    queries = ("is:regressed", "seq(pass !pass)", "onnx:fail and dynamo:pass", "is:flaky")
    return [
        *("/", "/runs", f"/runs?before={run}", f"/runs/{run}", f"/runs/{run}/report"),
        *(f"/runs/{run}?q={query}" for query in queries),
        *(f"/diff/{run - 1}/{run}", f"/diff/chosen/{run}", "/diff"),
        *("/groups", f"/groups?run={run - 1}", f"/groups/{failed.signature}"),
        *(f"/cells/{failed.cell.id}", f"/cells/{failed.cell.id}?run={run}"),
        *("/known", "/flaky", "/detector", "/feed.xml", "/feed.xml?q=is:regressed"),
        *("/matrix", f"/matrix?run={run}&q=outcome:fail", f"/models/{failed.cell.model_type}"),
        *("/slowest", f"/slowest?run={run}", "/fleet", "/triage", "/metrics"),
        *(f"/badges/runs/{run}.svg", f"/badges/models/{failed.cell.model_type}.svg"),
        *(f"/tables/{table}.csv?run={run}" for table in ("cells", "groups")),
        *("/tables/runs.csv", f"/tables/changes.csv?before={run - 1}&after={run}"),
    ]


def test_no_page_scans_history(filled: Engine) -> None:
    asked: dict[str, object] = {}

    def note(
        _connection: object, _cursor: object, statement: str, given: object, *_: object
    ) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.setdefault(statement, given)

    addresses = _addresses(filled)
    event.listen(filled, "before_cursor_execute", note)
    with TestClient(create_app(filled)) as client:
        statuses = {address: client.get(address).status_code for address in addresses}
    event.remove(filled, "before_cursor_execute", note)
    assert set(statuses.values()) == {200}, statuses
    assert len(asked) > 20
    scans = [
        f"{_scans(filled, asked, each)}: {each}" for each in asked if _scans(filled, asked, each)
    ]
    assert "\n\n".join(scans) == ""


def _scans(engine: Engine, asked: dict[str, object], statement: str) -> list[str]:
    """The large tables that a statement reads without going to a place in an index."""
    given: Any = asked[statement]
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            told = [str(row[-1]) for row in plan]
            return [each for each in told if each.split()[0] == "SCAN" and _large(each.split()[1])]
        # The tables are small: that reading all of one is cheaper here says nothing.
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", given)
        found = plan.scalar_one()
        return list(_unbounded(json.loads(found) if isinstance(found, str) else found))


def _large(name: str) -> bool:
    aliases = {"detail": "text", "stack": "text", "trace": "text", "log": "text"}
    aliases |= dict.fromkeys(("now", "then", "old", "new", "inside"), "verdict")
    return aliases.get(name.rstrip("_0123456789"), name) in _HISTORY


def _unbounded(plan: list[Any] | dict[str, Any]) -> Iterator[str]:
    if isinstance(plan, list):
        for each in plan:
            yield from _unbounded(each)
        return
    node = plan.get("Plan", plan)
    if "Scan" in node["Node Type"] and node.get("Relation Name") in _HISTORY:
        below = [node, *node.get("Plans", [])]
        if not any("Index Cond" in each for each in below):
            yield f"{node['Node Type']} on {node['Relation Name']}"
    yield from _unbounded(node.get("Plans", []))
