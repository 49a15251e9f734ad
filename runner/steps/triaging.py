"""Triage, from wherever it comes: the same rules and the same log for pages, scripts and shell."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from harness.errors import ConflictError, SelectionError, TriageError, nearest
from runner.core.plain import storable
from runner.core.query.nodes import Query
from runner.core.regrouping import check_merge, of_cells
from runner.core.runs import FailureGroup, Run
from runner.core.triage import (
    UNTOUCHED,
    Edit,
    Moment,
    Said,
    Triage,
    edited,
    in_words,
    merged,
    muted,
    version_of,
)
from runner.steps.querying import search
from runner.store import reads
from runner.store import regrouping as regroupings
from runner.store.engine import Engine
from runner.store.triages import Change, triages, write

#: groups that are edited at once
AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Triaged(FailureGroup):
    """A failure group with what was said of it."""

    triage: Triage = UNTOUCHED
    muted: bool = False


def with_triage(
    engine: Engine, groups: Sequence[FailureGroup], run: Run | None = None
) -> list[Triaged]:
    """The groups with what was said of them; mutes by version are seen from that run."""
    said = triages(engine, [group.signature for group in groups])
    today = datetime.now(UTC).date()
    version = version_of(run) if run else None
    return [
        Triaged(
            **{each.name: getattr(group, each.name) for each in fields(FailureGroup)},
            triage=found,
            muted=muted(found, today=today, version=version),
        )
        for group in groups
        for found in (said.get(group.signature, UNTOUCHED),)
    ]


def said_of(engine: Engine, signatures: Collection[str], run: Run) -> dict[str, Said]:
    """What is told of those groups beside their names; nothing of those of which nothing was."""
    today, version = datetime.now(UTC).date(), version_of(run)
    told = {
        name: Said(
            words=in_words(found),
            issue=found.issue,
            muted=muted(found, today=today, version=version),
        )
        for name, found in triages(engine, signatures).items()
    }
    return {name: said for name, said in told.items() if said.words}


def group_named(engine: Engine, name: str) -> str:
    """The signature that a group goes by now: of a former one, or of one that was merged."""
    found = regroupings.became(engine, name) or name
    if reads.named_group(engine, found) is None:
        newest = reads.runs(engine, limit=1)
        known = [each.signature for run in newest for each in regroupings.groups(engine, run.id)]
        raise SelectionError(f"no failure group {name!r}{nearest(name, known)}; see /groups")
    return found


def edit(
    engine: Engine,
    groups: Mapping[str, int | None],
    typed: Edit,
    *,
    who: str,
    over: str | None = None,
) -> None:
    """Edit groups, all or none; signature -> the version that was seen, None for whichever it is.

    `over` is the search that they were found by. `ConflictError` names those that somebody changed
    meanwhile, `TriageError` what can't be said.
    """
    if not groups:
        raise TriageError("no failure group is meant")
    if len(groups) > AT_ONCE:
        raise TriageError(f"{len(groups)} groups are too many at once; {AT_ONCE} are the limit")
    newest = reads.runs(engine, limit=1)
    moment = Moment(
        who=who,
        today=datetime.now(UTC).date(),
        newest_run=newest[0].id if newest else None,
    )

    def decide(now: Mapping[str, Triage]) -> list[Change]:
        if late := [name for name, seen in groups.items() if seen not in (None, now[name].version)]:
            raise ConflictError(*late)
        made = [(name, now[name], edited(now[name], typed, moment)) for name in groups]
        return [
            Change(signature=name, before=before, after=after, cells=over)
            for name, before, after in made
            if before != after
        ]

    write(engine, [*groups], decide, who=who)


def found_by(engine: Engine, run: Run, query: Query) -> list[str]:
    """The groups that have cells in a run which a search means."""
    rules = regroupings.regrouping(engine)
    found = search(engine, run, reads.verdicts(engine, run.id), query)
    told = [rules.of(each.signature, each.cell) for each in found if each.signature]
    return list(dict.fromkeys(told))


def merge(engine: Engine, names: Sequence[str], into: str, *, who: str) -> None:
    """Tell the cells of groups as another's from now on, with what was said of all of them."""
    for name in names:
        check_merge(regroupings.regrouping(engine), name, into)

        def decide(now: Mapping[str, Triage], name: str = name) -> list[Change]:
            both = merged(now[into], now[name], name=name)
            return [
                _told(into, now[into], both, action="merge", merged=name),
                _told(name, now[name], now[name], action="merge", into=into),
            ]

        write(engine, [name, into], decide, who=who, also=regroupings.adding(name, into))


def split(engine: Engine, name: str, *, who: str, cells: str, title: str = "") -> str:
    """Tell those cells of a group that a SELECT means as a group of their own; its signature.

    The new group is `new`: nobody has said anything of its cause yet.
    """
    query = of_cells(cells)
    members = regroupings.membership(engine, name)
    group, life = reads.named_group(engine, name), regroupings.span(engine, members)
    if group is None or life is None:
        raise SelectionError(f"no failure group {name!r} with cells; see /groups")
    there = [each.cell for each in regroupings.cells_in(engine, members, life.last.id)]
    taken = query.cells(there)
    if not taken or len(taken) == len(there):
        raise TriageError(
            f"{cells!r} means {len(taken)} of the {len(there)} cells that {name} has in run "
            f"{life.last.id}: a split parts them"
        )
    named = title.strip()[:200] or f"{group.title} ({query.text})"
    part = regroupings.new_part(engine, group, storable(named))

    def decide(now: Mapping[str, Triage]) -> list[Change]:
        return [
            _told(name, now[name], now[name], action="split", cells=query.text, part=part),
            _told(part, now[part], now[part], action="split", cells=query.text, of=name),
        ]

    also = regroupings.adding(name, part, query.text)
    write(engine, [name, part], decide, who=who, also=also)
    return part


def take_apart(engine: Engine, name: str, into: str, *, who: str) -> None:
    """Take a merge, or a split, back: the cells of `name` are told by themselves again."""

    def decide(now: Mapping[str, Triage]) -> list[Change]:
        return [
            _told(one, now[one], now[one], action="unmerge", apart=other)
            for one, other in ((name, into), (into, name))
        ]

    write(engine, [name, into], decide, who=who, also=regroupings.removing(name, into))


def _told(
    name: str, before: Triage, after: Triage, *, action: str, cells: str | None = None, **told: str
) -> Change:
    return Change(signature=name, before=before, after=after, action=action, cells=cells, told=told)
