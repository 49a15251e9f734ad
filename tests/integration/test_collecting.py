"""What a trusted half believes of artifacts that a pull request's own workflow has made."""

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cells import Cell
from harness.results import Outcome, Result
from runner.core.pull.events import Pull, Workflow
from runner.core.pull.report import State
from runner.settings import settings
from runner.steps.benches import bench_of
from runner.steps.collecting import Collected, collect
from runner.steps.partpulls import part_pull
from runner.store import reads
from tests.conftest import ROOT
from tests.fakegithub import REPOSITORY
from tests.pullworld import SCALED, World, pull_world

STEADY = "steady/Steady/forward-static/toy"


@dataclass
class Half:
    """A pull request whose shards are about to leave something."""

    world: World
    head: str
    plan: dict[str, Any]

    def line(self, side: str, outcome: Outcome, cell: str = SCALED, **given: Any) -> str:  # noqa: ANN401  (fields of a result)
        made = Result(cell=Cell.parse(cell), outcome=outcome, run=self.plan[side], revision="x")
        return made.replace(**given).to_line()

    def leave(self, **members: str) -> None:
        """Have the artifacts be these: name with `__` for a slash -> text."""
        claim = json.dumps({"run": self.plan["commits"]["run"]})
        self.world.fake.artifacts = {"export-matrix-plan": _zip({"pull.json": claim})}
        for name, text in members.items():
            file = f"{self.plan[name.partition('_')[0]]}.1of1/shards/000.jsonl"
            self.world.fake.artifacts[f"export-matrix-results-{name}"] = _zip({file: text})

    def collected(self) -> Collected:
        bench = bench_of(self.world.engine, settings())
        ran = Workflow(
            id=5,
            head=self.head,
            conclusion="success",
            url="https://ci.example/5",
            branch="topic",
            owner="someone",
        )
        try:
            found = collect(bench, ran)
        finally:
            bench.github.close()
        assert found is not None
        return found


def _zip(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
def half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Half]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    with pull_world(tmp_path, monkeypatch) as world:
        head = world.commit("topic", "FACTOR = 2\n")
        world.pull(7, head)
        bench = bench_of(world.engine, settings(), speaks=False)
        pull = Pull.read(REPOSITORY, world.fake.pulls[7])
        plan = part_pull(bench, pull, tmp_path / "plan", most=1)
        bench.github.close()
        yield Half(world=world, head=head, plan=plan)


def test_only_results_that_are_expected_are_believed_and_the_rest_is_counted(half: Half) -> None:
    head = [
        half.line("head", Outcome.PASS),
        half.line("head", Outcome.FAIL),  # of the same attempt
        half.line("head", Outcome.PASS, STEADY),
        half.line("head", Outcome.PASS, run="nightly--here--2026-11-25--5.23.0"),
        "not a result",
    ]
    half.leave(baseline=half.line("baseline", Outcome.PASS), head="\n".join(head))
    found = half.collected()
    assert found.report.state is State.CLEAN
    assert (
        dict(found.refused)
        == {
            "a second result of the same attempt": 1,
            "of a cell that was not asked for": 1,
            "of another run": 1,
            "not a result line": 1,
        }
        or found.refused.total() == 4
    )
    assert {each.uid for each in reads.runs(half.world.engine)} == {
        half.plan["baseline"],
        half.plan["head"],
    }


def test_a_selection_that_means_nothing_is_told_and_never_as_clean(
    half: Half, monkeypatch: pytest.MonkeyPatch
) -> None:
    half.leave()
    monkeypatch.setenv("EXPORT_MATRIX_PULL_SELECT", "scaldd/*/*/toy")
    settings.cache_clear()
    assert half.collected().report.state is State.NOTHING
    assert "scaldd" in half.world.report()


def test_shards_that_left_nothing_are_told_as_no_report_and_never_as_clean(half: Half) -> None:
    half.leave(baseline=half.line("baseline", Outcome.PASS))
    assert half.collected().report.state is State.NOTHING
    assert "⚠️ No export reported" in half.world.report()


def test_an_artifact_that_is_no_zip_file_costs_itself_alone(half: Half) -> None:
    half.leave(baseline=half.line("baseline", Outcome.PASS), head=half.line("head", Outcome.PASS))
    half.world.fake.artifacts["export-matrix-results-x"] = b"no zip file" * 100
    found = half.collected()
    assert found.report.state is State.CLEAN
    assert found.refused["no zip file"] == 2


def test_a_merge_that_is_none_is_told_instead_of_believed(half: Half) -> None:
    half.leave(head=half.line("head", Outcome.PASS))
    evil = json.dumps({"run": half.plan["commits"]["base"]})
    half.world.fake.artifacts["export-matrix-plan"] = _zip({"pull.json": evil})
    assert half.collected().report.state is State.NOTHING
    assert "is no merge of" in half.world.report()


def test_commits_that_came_meanwhile_leave_nothing_to_tell(half: Half) -> None:
    half.leave(head=half.line("head", Outcome.PASS))
    half.world.pull(7, half.world.commit("topic", "FACTOR = 3\n"), "synchronize")
    with pytest.raises(AssertionError):
        half.collected()
    assert half.world.fake.ours == []
