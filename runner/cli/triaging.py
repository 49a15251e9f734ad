"""`triage`: what is said of failure groups, by the rules and into the log of the pages."""

import getpass
import os
from dataclasses import asdict
from typing import Annotated, Any

import typer

from harness.errors import TriageError
from runner.cli.console import as_json, listed
from runner.cli.options import Database, Json, opened
from runner.core.plain import plain
from runner.core.query.reader import parse
from runner.core.triage import Edit, Triage, in_words
from runner.steps.triaging import (
    Triaged,
    edit,
    found_by,
    group_named,
    merge,
    split,
    take_apart,
    with_triage,
)
from runner.store import reads, triages
from runner.store.engine import Engine

_SAID = 10


def register(app: typer.Typer) -> None:
    app.command("triage")(triage)


def triage(  # noqa: PLR0913  (one parameter per option)
    groups: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP]...", help="Signatures, also former ones."),
    ] = None,
    *,
    over: Annotated[
        str | None,
        typer.Option(metavar="SELECT", help="Groups of the newest run with such cells instead."),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(help="new, investigating, upstream, known, fixed or wont-fix."),
    ] = None,
    assign: Annotated[str | None, typer.Option(help="A name, `me`, or '' for nobody.")] = None,
    issue: Annotated[str | None, typer.Option(help="Its address, or owner/name#12.")] = None,
    note: Annotated[str | None, typer.Option(help="Markdown; takes the old one's place.")] = None,
    mute_until: Annotated[
        str | None,
        typer.Option(help="A day (2026-12-24) or a version of Transformers; '' ends it."),
    ] = None,
    fixed_in: Annotated[
        str | None, typer.Option(help="With `fixed`: the version that has the fix.")
    ] = None,
    merge_into: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Tell their cells as this group's.")
    ] = None,
    split_off: Annotated[
        str | None,
        typer.Option("--split", metavar="SELECT", help="Tell such cells as a group of their own."),
    ] = None,
    apart_from: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Take a merge or a split back.")
    ] = None,
    database: Database = None,
    as_json_: Json = False,
) -> None:
    """Say what is known of failure groups: state, who cares, issue, note, mute; merge and split.

    Without options, tells what was said of them, and by whom.
    """
    engine, who = opened(database), _whoever()
    names = [group_named(engine, name) for name in groups or ()]
    if over is not None:
        names += found_by(engine, reads.run(engine, "latest"), parse(over))
    if not names:
        raise TriageError("say which groups: their signatures, or --over SELECT that finds some")
    typed = Edit(
        state=state,
        assignee=assign,
        issue=issue,
        note=note,
        muted_until=mute_until,
        fixed_in=fixed_in,
    )
    if not typed.empty:
        edit(engine, dict.fromkeys(names), typed, who=who, over=over)
    if merge_into is not None:
        merge(engine, names, group_named(engine, merge_into), who=who)
    if split_off is not None:
        names += [split(engine, name, who=who, cells=split_off) for name in list(names)]
    for name in names if apart_from is not None else ():
        take_apart(engine, name, apart_from or "", who=who)
    _tell(engine, names, as_json_=as_json_)


def _whoever() -> str:
    """The user's name on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def _tell(engine: Engine, names: list[str], *, as_json_: bool) -> None:
    known = [reads.named_group(engine, name) for name in dict.fromkeys(names)]
    newest = next(iter(reads.runs(engine, limit=1)), None)
    told = with_triage(engine, [each for each in known if each], newest)
    if as_json_:
        as_json([_record(each) for each in told])
        return
    for each in told:
        muted = " (muted now)" if each.muted else ""
        _say(f"{each.signature}  {in_words(each.triage) or 'new'}{muted}")
        _say(f"  {each.title}")
        for line in each.triage.note.splitlines():
            _say(f"  | {line}")
        if len(told) == 1:
            for entry in triages.log(engine, signature=each.signature, limit=_SAID):
                said = ", ".join(f"{name}: {value}" for name, value in entry.after.items())
                _say(f"  {entry.at:%Y-%m-%d %H:%M}  {entry.who}  {entry.action}  {said}")


def _record(found: Triaged) -> dict[str, Any]:
    """The contract of `triage --json`."""
    return {"signature": found.signature, "title": found.title} | _told(
        found.triage, muted=found.muted
    )


def _told(found: Triage, *, muted: bool) -> dict[str, Any]:
    return asdict(found) | {"muted": muted}


def _say(text: str) -> None:
    listed([plain(text)])
