"""The comment on a pull request, in the shape that reviewers of Transformers know.

Its first line marks it as ours. Whatever a model or an exporter printed stands in code spans
(`quoting`), so that it can neither mention, link, mark nor command.
"""

from collections.abc import Iterator

from runner.core.confirm import UNCONFIRMED
from runner.core.diff import CellChange
from runner.core.inline import arrow
from runner.core.pull.fitting import COMMENT_BYTES, Block, Part, fitted
from runner.core.pull.quoting import in_table, quoted
from runner.core.pull.report import Facts, Report
from runner.core.pull.sections import Group, Section

MARKER = "<!-- export-matrix:report -->"
_SHORT = 8
_NAMED = 40


def as_comment(told: Report, *, limit: int = COMMENT_BYTES) -> str:
    """The whole comment, within GitHub's limit."""
    where = f": [all of them]({told.facts.page})" if told.facts.page else ""
    first = [MARKER, *_head(told.facts), *_verdict(told)]
    lines = fitted(first, parts(told), list(_foot(told)), limit=limit, where=where)
    return "\n".join(lines) + "\n"


def _head(facts: Facts) -> Iterator[str]:
    yield "## CI Results"
    if facts.workflow:
        yield f"[Workflow Run ⚙️]({facts.workflow})"
    yield ""
    yield from commit_table(facts)


def commit_table(facts: Facts) -> Iterator[str]:
    """RUN, PR and base."""
    commits = facts.commits
    yield "### Commit Info"
    yield "| Context | Commit | Description |"
    yield "|---|---|---|"
    yield f"| RUN | {_sha(commits.run)} | workflow commit (merge commit) |"
    yield f"| PR | {_sha(commits.head)} | branch commit (from PR) |"
    branch = in_table(commits.base_branch, length=_NAMED)
    yield f"| {branch} | {_sha(commits.base)} | base commit (on {branch}) |"
    yield ""


def _sha(commit: str) -> str:
    return in_table(commit[:_SHORT]) or "unknown"


def _verdict(told: Report) -> Iterator[str]:
    yield "### Model CI Report"
    yield ""
    yield told.headline
    if told.lacking:
        yield ""
        yield f"⚠️ Incomplete, there may be more: {told.lacking}"
    if told.unconfirmed:
        yield ""
        yield f"⚠️ {told.unconfirmed:,} not executed again: flaky, or broken on main too, perhaps"
    if told.facts.scope:
        yield ""
        yield told.facts.scope
    for name, (before, after) in told.stack.items():
        yield ""
        yield f"{quoted(name)} {quoted(str(before))} ⟹ {quoted(str(after))}"


def _foot(told: Report) -> Iterator[str]:
    if told.facts.page:
        yield ""
        yield f"[View the export matrix of this PR]({told.facts.page})"
    if told.facts.error_rate:
        yield ""
        yield f"_Measured: {told.facts.error_rate}_"


def parts(told: Report) -> list[Part]:
    """The sections as lines; what nobody has to look at is folded."""
    made = []
    for section in told.sections:
        heading = f"{_sign(section)} {section.heading}"
        blocks = tuple(_block(group, section, told.facts) for group in section.groups)
        if section.open:
            made.append(Part(("", f"#### {heading}", ""), blocks))
        else:
            folded = ("", f"<details><summary>{heading}</summary>", "")
            made.append(Part(folded, blocks, ("", "</details>")))
    return made


def _sign(section: Section) -> str:
    """What all its cells did, if they all did the same."""
    arrows = {arrow(item) for group in section.groups for item in group.cells}
    return f"({arrows.pop()})" if len(arrows) == 1 else "(…)"


def _block(group: Group, section: Section, facts: Facts) -> Block:
    heading = tuple(_title(group))
    indent = "    " if heading else ""
    if section.fails:
        heading = (*heading, f"{indent}- reproduce: {quoted(reproduce(group, facts), length=400)}")
    return Block(heading, tuple(_cells(group, indent)))


def reproduce(group: Group, facts: Facts) -> str:
    """The command that shows a group's failure at the branch's commit."""
    revision = f"path/to/transformers@{facts.commits.head}"
    return f"export-matrix reproduce {group.cells[0].cell.id} --revision {revision}"


def _title(group: Group) -> Iterator[str]:
    if group.title is None and group.signature is None:
        return
    parts = [f"- {quoted(group.title or 'no message')}", quoted(group.signature or "")]
    if group.owner:
        parts.append(f"· {quoted(group.owner.evidence)}")
    if group.said:
        parts.append(f"· {quoted(group.said.words)}")
    yield " ".join(filter(None, parts))


def _cells(group: Group, indent: str) -> Iterator[tuple[str, int]]:
    for model, items in group.by_model.items():
        yield f"{indent}- {quoted(model)}:", 0
        for item in items:
            yield f"{indent}    - {quoted(item.cell.id)} ({arrow(item)}){_because(item)}", 1


def _because(item: CellChange) -> str:
    parts = [quoted(item.reason or ""), quoted(_confirmation(item)), _root(item)]
    why = " · ".join(filter(None, parts))
    return f" {why}" if why else ""


def _confirmation(item: CellChange) -> str:
    """What executing it again told; nothing where it was not."""
    told = item.confirmation
    return told.why if told is not None and told != UNCONFIRMED else ""


def _root(item: CellChange) -> str:
    return f"contains {quoted(item.root.id)}" if item.root else ""
