"""The tables.

- A run's expected cells are its rows in `verdict`, `missing` until a result comes: a run knows what
  it lacks, and reading a run never touches `result`.
- `result` holds identity, outcome and pointers. Long texts (tracebacks, logs, the JSON of
  components) stand once each in `text`, by content: their key is their digest, so that a writer
  knows it without asking.
- There are no foreign keys: to check them took as long as to write the rows. What keeps the tables
  whole is that rows are added by joins with what they name, that cells and groups are never
  removed, and that `prune` removes runs and texts while nobody writes to them.
- Nothing that a page asks is answered by scanning `result`: it grows by 10⁸ in three years.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy import (
    text as sql_text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# The first 128 bits of a text's SHA-256, in hexadecimal; PostgreSQL keeps them in 16 bytes.
Digest = Uuid(as_uuid=False)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(200), nullable=False, unique=True),
    Column("revision", String(200), nullable=False),
    # of Transformers, where it is known
    Column("branch", String(300)),
    Column("stack", JSON, nullable=False),
    Column("selection", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("closed_at", DateTime(timezone=True)),
    Column("expected", Integer, nullable=False),
    Column("duration_s", Float),
    Column("summary", JSON),
    # `backend/variant` -> verdict -> cells, of a run that has closed
    Column("tally", JSON),
    # how carrying over did: carried, audited, and the cells that an audit found to differ
    Column("audit", JSON),
    # how a run that goes on does, as last told; None once it is closed
    Column("progress", JSON),
    # workers, and the makespan against its lower bound
    Column("schedule", JSON),
    # how forked cells compared with cold processes
    Column("canary", JSON),
    Index(None, "revision", "id"),
)

cell = Table(
    "cell",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cell", String(300), nullable=False, unique=True),
)

# What the models of a type take: text, image, …, as the inputs of their cases tell.
takes = Table(
    "takes",
    metadata,
    Column("model_type", String(100), primary_key=True),
    Column("kind", String(20), primary_key=True),
)

failure_group = Table(
    "failure_group",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("signature", String(40), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("kind", String(60), nullable=False),
    Column("owner", String(60), nullable=False),
    Column("stage", String(20)),
)

# What people say of a group; a group of which nothing was said has no row.
triage = Table(
    "triage",
    metadata,
    Column("group_id", Integer, primary_key=True, autoincrement=False),
    Column("state", String(20), nullable=False, index=True),
    Column("assignee", String(100), index=True),
    Column("issue", String(600)),
    Column("note", Text, nullable=False),
    # a day or a version
    Column("muted_until", String(60)),
    Column("fixed_in", String(60)),
    # numbers of runs: the newest when it was called fixed, and the one that it came back in
    Column("fixed_run", Integer),
    Column("returned_run", Integer),
    # counts its changes, so that nobody overwrites what they have not seen
    Column("version", Integer, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", String(100), nullable=False),
)

# Who changed what of a group's triage; rows are only ever added.
triage_log = Table(
    "triage_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("group_id", Integer, nullable=False),
    # its name then
    Column("signature", String(40), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", String(100), nullable=False),
    # edit, merge, split, unmerge, reopen or resign
    Column("action", String(20), nullable=False),
    # the fields that changed
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    # the search that an edit of many was made over, or the cells of a split
    Column("cells", Text),
    Index(None, "group_id", "id"),
    Index(None, "who", "id"),
)

# The cells of a group, those that a SELECT means or all, that people have told as another group.
regroup = Table(
    "regroup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("from_id", Integer, nullable=False),
    Column("into_id", Integer, nullable=False),
    Column("cells", Text),
)

# What groups were called before, for links from elsewhere.
group_alias = Table(
    "group_alias",
    metadata,
    Column("signature", String(40), primary_key=True),
    Column("group_id", Integer, nullable=False),
)

text = Table(
    "text",
    metadata,
    Column("digest", Digest, primary_key=True),
    Column("body", Text, nullable=False),
)

result = Table(
    "result",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("cell_id", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("outcome", String(10), nullable=False),
    Column("stage", String(10)),
    Column("group_id", Integer),
    # the result's JSON line without what stands elsewhere
    Column("detail", Digest, nullable=False),
    # None in results of before it stood by itself: the run's own, or within the detail
    Column("stack", Digest),
    Column("traceback", Digest),
    Column("log", Digest),
)

verdict = Table(
    "verdict",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("cell_id", Integer, primary_key=True),
    Column("verdict", String(10), nullable=False),
    Column("stage", String(10)),
    Column("kind", String(60)),
    Column("group_id", Integer),
    Column("reason", Text),
    Column("suspect", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("duration_s", Float),
    Column("peak_rss_bytes", BigInteger),
    Column("planned_bytes", BigInteger),
    Column("max_abs_diff", Float),
    Column("export_s", Float),
    Column("graph_nodes", BigInteger),
    Column("cpu_s", Float),
    Column("carried_from", String(200)),
    Index(None, "cell_id", "run_id"),
    Index(None, "cell_id", "verdict", "run_id"),
    Index(None, "group_id", "run_id"),
)

# What decided a cell's outcome, and the run that executed it: one row per cell and fingerprint.
fingerprint = Table(
    "fingerprint",
    metadata,
    Column("cell_id", Integer, primary_key=True),
    Column("fingerprint", String(32), primary_key=True),
    # of all sources and versions when it was last seen
    Column("state", String(32), nullable=False),
    Column("made_of", Digest, nullable=False),
    Column("run_id", Integer, nullable=False, index=True),
)

# A bisect that has ended: between which revisions, and the first bad one or the candidates.
bisect = Table(
    "bisect",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cell_id", Integer, nullable=False, index=True),
    Column("good", String(200), nullable=False),
    Column("bad", String(200), nullable=False),
    Column("stack", JSON, nullable=False),
    # a list of {name, told}, oldest first; `told` is a commit's log line
    Column("found", JSON, nullable=False),
    Column("title", Text),
    Column("ended_at", DateTime(timezone=True), nullable=False),
)

# An execution of a cell of a run, made later to see whether an apparent loss is one: no attempt of
# the run, so that its verdicts stay what they are. Its kind and signature are told when it is read.
rerun = Table(
    "rerun",
    metadata,
    Column("run_id", Integer, primary_key=True),
    Column("cell_id", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("outcome", String(10), nullable=False),
    Column("executed_at", DateTime(timezone=True), nullable=False),
    Column("detail", Digest, nullable=False),
    Column("stack", Digest, nullable=False),
    Column("traceback", Digest),
    Column("log", Digest),
)

# A selfcheck that has ended: how diffs told of what was planted, and of nothing.
selfcheck = Table(
    "selfcheck",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", String(200), nullable=False),
    Column("stack", JSON, nullable=False),
    Column("ended_at", DateTime(timezone=True), nullable=False),
    # a list of {planted, diffs, cells, false_alarms, misses}
    Column("figures", JSON, nullable=False),
)

# A webhook that came: its id may be anybody's, its body is signed. Neither comes twice.
delivery = Table(
    "delivery",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("id", String(100), nullable=False, unique=True),
    Column("event", String(60), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, index=True),
)

# What workers are to do, and have done.
work = Table(
    "work",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(40), nullable=False),
    # work of one key is done one after the other
    Column("key", String(300), nullable=False),
    Column("payload", JSON, nullable=False),
    # queued, taken, done, failed or dropped
    Column("state", String(10), nullable=False),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("tries", Integer, nullable=False),
    # who has it, and until when; whoever finds it later takes it
    Column("taken_by", String(200)),
    Column("leased_until", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("error", Text),
    # whose command it is
    Column("author", String(100)),
    Index(None, "state", "not_before"),
    Index(None, "author", "queued_at"),
    Index("ix_work_key", "key", "id"),
    Index(
        "uq_work_taken_key",
        "key",
        unique=True,
        sqlite_where=sql_text("state = 'taken'"),
        postgresql_where=sql_text("state = 'taken'"),
    ),
)

# A pull request, as the newest event told it.
pull = Table(
    "pull",
    metadata,
    Column("repository", String(200), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("head", String(40), nullable=False),
    Column("base", String(40), nullable=False),
    Column("base_branch", String(300), nullable=False),
    Column("open", Boolean, nullable=False),
    # by GitHub's clock: of the newest event, and of the first that told this head
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("head_since", DateTime(timezone=True), nullable=False),
)

# The runs that a pull request was last told of, for each of its heads.
pull_run = Table(
    "pull_run",
    metadata,
    Column("repository", String(200), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("head", String(40), primary_key=True),
    Column("run_commit", String(40), nullable=False),
    Column("base", String(40), nullable=False),
    Column("base_branch", String(300), nullable=False),
    # uids of the runs, once they are planned
    Column("baseline_run", String(200)),
    Column("head_run", String(200)),
    # what they are of, in words
    Column("scope", Text, nullable=False),
    Column("noted_at", DateTime(timezone=True), nullable=False),
)

# What a project or a script may do without a person: send results of runs whose names a glob means,
# triage, or read. Its secret is not kept.
token = Table(
    "token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", String(100), nullable=False),
    # results, triage or read
    Column("scope", String(20), nullable=False, server_default="results"),
    Column("runs", String(200), nullable=False),
    # SHA-256 of the secret, which is random enough to need no salt
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
)

# Somebody who has signed in, until it expires or is ended. The secret in their cookie is not kept.
session = Table(
    "session",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("login", String(100), nullable=False, index=True),
    # of the organisations and teams that decide roles, those that they are in
    Column("memberships", JSON, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False, index=True),
    Column("ended_at", DateTime(timezone=True)),
)

# Who is told of a search by a webhook. Its secret is kept, for deliveries are signed with it.
subscription = Table(
    "subscription",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", Text, nullable=False),
    Column("search", Text, nullable=False),
    Column("secret", String(100), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    # the run, and a digest of what was told of it
    Column("told", String(300)),
    Column("told_at", DateTime(timezone=True)),
)
