"""Checks the detector on diffs of known truth: a revision with itself, and with planted breakages.

- Everything goes the way that it goes for users: runs, diffs, executing again. Only the database is
  one of its own, in the selfcheck's folder, so that nobody's history is touched; the figures go to
  the given one.
- A planted tree is a copy of the revision's sources, of links where the file system has them.
- A selfcheck that was interrupted goes on with its next start; one that has ended is begun anew.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from itertools import combinations
from pathlib import Path

from harness.backends import missing
from harness.cells import Cell
from harness.stack import stack
from harness.zoo.base import TRANSFORMERS
from harness.zoo.discovery import package_folder
from runner.core.diff import Diff
from runner.core.limits import LimitRule
from runner.core.plants import Plant, planted, read_plants, trees
from runner.core.runs import Run
from runner.core.selfcheck import Figure, Selfcheck, of_itself, of_plants
from runner.durable import write_whole
from runner.execute.local import run_shard
from runner.execute.shard import Executor
from runner.revisions import Revision
from runner.steps import running
from runner.steps.comparing import compare_runs
from runner.steps.confirming import Confirming
from runner.steps.intake import OnProgress
from runner.steps.running import Room
from runner.steps.selecting import Selected, model_classes
from runner.store.engine import Engine, ensure
from runner.store.selfchecks import note_selfcheck

#: runs of the revision against itself
ROUNDS = 3
_ENDED = "ended"

#: told what is done next
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a selfcheck is made on."""

    revision: Revision
    plants: tuple[Plant, ...]
    zoo: str = TRANSFORMERS

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(sorted({cell for plant in self.plants for cell in plant.cells}))

    @property
    def package(self) -> Path:
        """The folder of its `transformers`."""
        return self.revision.path / "transformers" if self.revision.path else package_folder()


def real_world(revision: Revision) -> World:
    """A revision of Transformers, with the project's plants."""
    text = files("runner").joinpath("plants.toml").read_text(encoding="utf-8")
    return World(revision=revision, plants=read_plants(text))


def toy_world(folder: Path) -> World:
    """The world of toys, laid out in that folder."""
    home, brought = folder / "toys", files("harness.toyworld")
    sources = {
        "__init__.py": '__version__ = "0"\n',
        "toys.py": brought.joinpath("sources.txt").read_text(encoding="utf-8"),
    }
    (home / "transformers").mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        write_whole(home / "transformers" / name, text.encode())
    plants = read_plants(brought.joinpath("plants.toml").read_text(encoding="utf-8"))
    revision = Revision(name="toys", path=home.resolve())
    return World(revision=revision, plants=plants, zoo="harness.toyworld")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selfchecking:
    """One selfcheck; `run` makes it."""

    world: World
    #: where selfchecks are kept
    folder: Path
    limits: tuple[LimitRule, ...]
    room: Room
    rounds: int = ROUNDS
    executor: Executor = run_shard
    tell: Tell = lambda doing: None
    on_progress: OnProgress = lambda progress: None

    def run(self, engine: Engine) -> Selfcheck:
        """Run everything, and keep the figures; `MatrixError` if a plant does not fit."""
        home = self._begun()
        own = ensure(f"sqlite:///{home}/selfcheck.db")
        try:
            planted_trees = [
                (plants, self._planted(home, number, plants))
                for number, plants in enumerate(trees(self.world.plants), 1)
            ]
            runs = [
                self._run(own, home, f"itself-{number}", self.world.revision)
                for number in range(1, self.rounds + 1)
            ]
            figures = [of_itself(self._told(own, home, *two) for two in combinations(runs, 2))]
            for plants, tree in planted_trees:
                head = self._run(own, home, tree.name, tree)
                figures += of_plants(self._told(own, home, runs[-1], head), plants)
        finally:
            own.dispose()
        found = Selfcheck(
            revision=self.world.revision.name,
            stack={name: at for name, at in stack().items() if name != "transformers"},
            ended_at=datetime.now(UTC),
            figures=tuple(_merged(figures)),
        )
        note_selfcheck(engine, found)
        (home / _ENDED).touch()
        return found

    def _begun(self) -> Path:
        """The folder of the same one that was interrupted, else a new one."""
        told = f"{self.world} {sorted(stack().items())} {self.rounds}"
        key = hashlib.sha256(told.encode()).hexdigest()[:8]
        number = 1
        while (home := self.folder / f"{self.world.revision.name}-{key}-{number}").is_dir():
            if not (home / _ENDED).exists():
                break
            number += 1
        home.mkdir(parents=True, exist_ok=True)
        return home.resolve()

    def _planted(self, home: Path, number: int, plants: Sequence[Plant]) -> Revision:
        """The revision's sources with these plants, in a folder of their own."""
        name = f"{self.world.revision.name}-planted-{number}"
        tree, marks = home / "trees" / name, home / "marks"
        if not tree.is_dir():
            draft = home / f"draft-{number}"
            shutil.rmtree(draft, ignore_errors=True)
            marks.mkdir(exist_ok=True)
            shutil.copytree(self.world.package, draft / "transformers", copy_function=_linked)
            for plant in plants:
                file = draft / "transformers" / plant.file
                source = file.read_text(encoding="utf-8")
                # Written anew, not into the file that is linked.
                write_whole(file, planted(source, plant, marks=str(marks)).encode())
            tree.parent.mkdir(exist_ok=True)
            draft.rename(tree)
        return Revision(name=name, path=tree)

    def _run(self, own: Engine, home: Path, uid: str, revision: Revision) -> Run:
        self.tell(f"run {uid}")
        if (home / "runs" / uid / "run.json").exists():
            plan = running.resume(own, uid, folder=home)
        else:
            drafted = {"selection": "selfcheck", "zoo": self.world.zoo, "uid": uid}
            plan = running.start(
                own,
                self._selected(revision),
                revision,
                folder=home,
                drafted=drafted,
                limits=(*self._limits_of_plants(), *self.limits),
            )
        return running.execute(
            own,
            plan,
            self.room,
            on_progress=self.on_progress,
            executor=self.executor,
            canary_cells=0,
        )

    def _selected(self, revision: Revision) -> Selected:
        """Those of the plants' cells that the revision has."""
        listed = model_classes(self.world.zoo, revision_path=revision.path)
        classes = {(each.model_type, each.name): each for each in listed}
        found = {
            cell: classes[cell.model_type, cell.model_class].skip or missing(cell.backend)
            for cell in self.world.cells
            if (cell.model_type, cell.model_class) in classes
        }
        skips = {cell: why for cell, why in found.items() if why}
        return Selected(cells=tuple(found), skips=skips)

    def _limits_of_plants(self) -> Iterator[LimitRule]:
        for plant in self.world.plants:
            for cell in plant.cells if plant.time_s or plant.memory_mib else ():
                yield LimitRule(
                    cells=cell.id,
                    reason=plant.name,
                    time_s=plant.time_s,
                    memory_mib=plant.memory_mib,
                )

    def _told(self, own: Engine, home: Path, before: Run, after: Run) -> Diff:
        """The diff of two runs, after what looks lost was executed again."""
        found = compare_runs(own, before.uid, after.uid)
        self.tell(f"diff {before.uid} {after.uid}")
        Confirming(
            engine=own,
            folder=home,
            limits=self.limits,
            room=self.room,
            executor=self.executor,
        ).run(found)
        return compare_runs(own, before.uid, after.uid)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _merged(figures: Iterable[Figure]) -> list[Figure]:
    """One for each plant, and one for each kind of nothing."""
    merged: dict[str, Figure] = {}
    for each in figures:
        merged[each.planted] = merged[each.planted] + each if each.planted in merged else each
    return list(merged.values())
