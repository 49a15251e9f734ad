"""What of a pull request is run: its commits, and the cells that are asked for or can be affected.

Sources are read here, and never executed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cells import Cell
from harness.errors import SelectionError
from harness.zoo.base import PROVIDERS
from runner.bot.github import GitHub
from runner.core.limits import LimitRule
from runner.core.pull.events import Pull
from runner.core.pull.quoting import quoted
from runner.core.pull.report import Commits
from runner.core.pull.spreading import spread
from runner.execute.apart import run_apart
from runner.execute.shard import Executor
from runner.revisions import Revision, only_read, resolve
from runner.revisions.pulls import pull_commits
from runner.revisions.requirements import run_pip_for_others
from runner.steps import running
from runner.steps.affecting import affected
from runner.steps.selecting import Asked, Selected, select
from runner.store.engine import Engine

AFFECTED = "affected"
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
    #: model types that the changes can affect, where that was asked
    models: frozenset[str] | None = None

    @property
    def cells(self) -> set[Cell]:
        return {*self.before.cells, *self.after.cells}

    @property
    def told(self) -> str:
        """In a sentence."""
        return f"Run: {self.scope}. {self.capped}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A pull request whose commits are here."""

    pull: Pull
    commits: Commits
    before: Revision
    after: Revision


def prepared(bench: Bench, pull: Pull, *, ran: str | None = None, reads: bool = False) -> Prepared:
    """Fetch a pull request and take its commits out; nothing of it is executed.

    `ran` is the merge that others say they ran; where it is only read, what it requires stays away.
    """
    commits = pull_commits(bench.checkout, pull, ran=ran)
    before, after = (_revision(bench, sha, reads=reads) for sha in (commits.base, commits.run))
    return Prepared(pull=pull, commits=commits, before=before, after=after)


def _revision(bench: Bench, sha: str, *, reads: bool) -> Revision:
    if reads:
        return only_read(bench.checkout, sha, cache=bench.folder)
    return resolve(f"{bench.checkout}@{sha}", cache=bench.folder, pip=run_pip_for_others)


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
    before, after = (_side(asked, side) for side in (ready.before, ready.after))
    if not (before.cells or after.cells):
        select(asked, revision_path=ready.after.path)  # says why: nothing to run is not good news
    return _capped(bench, before, after, quoted(asked.text))


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
    models = frozenset(each.cell.model_type for each in found.affected)
    cells = _capped(bench, before, after, "what this PR's changes can affect")
    return replace(cells, models=models)


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
