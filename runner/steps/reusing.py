"""Carries over what nothing has changed, and audits a sample of it.

Before a run executes, each cell that it has yet to run is looked up by its fingerprint. What is
found is written as a result of this run that says which run it comes from; of a sample, what would
have been carried is noted in `audit.json` instead, the cell is run, and the two are compared when
the run closes. What a run executed is remembered by its fingerprint, also where it carries nothing.
"""

import hashlib
import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import harness
from harness.cells import Cell
from harness.results import Result
from harness.zoo.base import PROVIDERS, TESTERS
from harness.zoo.discovery import package_folder
from runner.core.label import label
from runner.core.reuse import Remembered, audit, is_audited, lasting
from runner.core.sources.boundaries import barred
from runner.core.sources.fingerprint import Fingerprints
from runner.core.sources.reach import Sources
from runner.durable import write_whole
from runner.revisions.modules import digest_of, read_modules
from runner.steps.plans import Plan, executed
from runner.store import fingerprints as store
from runner.store.attempts import attempts_in
from runner.store.bulk import chunks
from runner.store.engine import Engine
from runner.store.lines import line_of


class Reuse:
    """What one run carries over, and what later runs may carry over from it."""

    def __init__(self, engine: Engine, plan: Plan, *, cache: Path, percent: float | None) -> None:
        """`percent` of what could be carried is run all the same; None: nothing is carried."""
        self._engine = engine
        self._plan = plan
        self._cache = cache
        self._percent = percent
        self._expected_file = plan.folder / "audit.json"
        self._carried_file = plan.folder / "shards" / "carried.jsonl"

    def carry(self, cells: Sequence[Cell]) -> Iterator[Result]:
        """The results of cells that need not run, written to the run's folder as they are given."""
        if self._percent is None or self._plan.own or self._expected_file.exists():
            return
        sample: list[str] = []
        with self._carried_file.open("a", encoding="utf-8") as out:
            for result in self._carried(self._known(cells)):
                line = line_of(result)
                if is_audited(self._plan.uid, result.cell, self._percent):
                    sample.append(line)
                else:
                    out.write(f"{line}\n")
                    yield result
        write_whole(self._expected_file, json.dumps(sample).encode())

    def close(self) -> None:
        """Remember what this run executed, and compare the audited cells."""
        if self._plan.own:
            return
        by_cell: dict[Cell, list[Result]] = defaultdict(list)
        for result in executed(self._plan):
            by_cell[result.cell].append(result)
        store.remember(self._engine, self._lasting(by_cell))
        if self._expected_file.exists():
            expected = json.loads(self._expected_file.read_text(encoding="utf-8"))
            lines = self._carried_file.read_bytes() if self._carried_file.exists() else b""
            carried = lines.count(b"\n")
            found = audit([Result.from_line(line) for line in expected], by_cell, carried=carried)
            store.note_audit(self._engine, self._plan.uid, found)

    def _known(self, cells: Sequence[Cell]) -> list[Remembered]:
        """What each cell came to when all that decides it was as it is now."""
        found: dict[Cell, Remembered] = {}
        again: list[Remembered] = []
        for each in store.remembered(self._engine, cells):  # they come oldest first
            if each.state == self._state:
                found[each.cell] = each
            elif each.fingerprint == self._fingerprints.of(each.cell, each.made_of):
                found[each.cell] = each
                again.append(replace(each, state=self._state))
        store.remember(self._engine, again)
        return list(found.values())

    def _carried(self, known: Iterable[Remembered]) -> Iterator[Result]:
        by_run: dict[str, list[Cell]] = defaultdict(list)
        for each in known:
            by_run[each.run].append(each.cell)
        for run, cells in by_run.items():
            for part in chunks(cells):
                last = {result.cell: result for result in attempts_in(self._engine, run, part)}
                for result in last.values():
                    carried = result.replace(
                        run=self._plan.uid,
                        revision=self._plan.revision,
                        stack=self._plan.stack,
                        attempt=1,
                        carried_from=run,
                    )
                    yield label(carried)  # the rules may be others by now

    def _lasting(self, by_cell: Mapping[Cell, Sequence[Result]]) -> Iterator[Remembered]:
        for cell, attempts in by_cell.items():
            made_of = tuple(attempts[-1].recipe.get("made_of", ()))
            if made_of and lasting(attempts):
                fingerprint = self._fingerprints.of(cell, made_of)
                if fingerprint:
                    yield Remembered(
                        cell=cell,
                        fingerprint=fingerprint,
                        state=self._state,
                        made_of=made_of,
                        run=self._plan.uid,
                    )

    @cached_property
    def _common(self) -> list[str]:
        return [*_versions(self._plan.stack), self._plan.dynamic_shapes]

    @cached_property
    def _state(self) -> str:
        """Of all texts and versions: where it is equal, no fingerprint need be computed."""
        packages = _packages(self._plan.zoo, self._plan.revision_path)
        parts = [*self._common, _harness(packages["harness"]), digest_of(packages)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    @cached_property
    def _fingerprints(self) -> Fingerprints:
        plan = self._plan
        return fingerprints(plan.zoo, plan.revision_path, common=self._common, cache=self._cache)


def fingerprints(
    zoo: str, revision_path: Path | None, *, common: Iterable[str], cache: Path
) -> Fingerprints:
    """The fingerprints of a revision's cells; `common` names what they all depend on besides."""
    packages = _packages(zoo, revision_path)
    sources = Sources(read_modules(packages, cache=cache), barred=barred)
    return Fingerprints(sources, zoo=zoo, common=[*common, _harness(packages["harness"])])


def _packages(zoo: str, revision_path: Path | None) -> dict[str, Path]:
    """The packages whose sources decide an outcome, and their folders."""
    packages = {"harness": Path(harness.__path__[0])}
    if zoo in PROVIDERS.values():
        packages["transformers"] = (
            revision_path / "transformers" if revision_path else package_folder()
        )
    else:
        packages |= _found(zoo.partition(".")[0])
    if zoo == TESTERS and revision_path:
        packages["tests"] = revision_path.parent / "tests"
    return packages


def _versions(stack: Mapping[str, str]) -> list[str]:
    """The stack without Transformers, whose sources say more than its version."""
    return sorted(f"{name} {at}" for name, at in stack.items() if name != "transformers")


def _harness(folder: Path) -> str:
    """This project's own part in an outcome."""
    digest = hashlib.sha256()
    for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.toml")]):
        digest.update(f"{path.relative_to(folder)} ".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"harness {digest.hexdigest()}"


def _found(package: str) -> dict[str, Path]:
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    return {package: Path(next(iter(locations)))} if locations else {}
