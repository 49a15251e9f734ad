"""Options that several commands share; their defaults come from the settings."""

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import MatrixError
from harness.zoo.base import PROVIDERS
from runner.core.limits import LimitRule, one_rule, project_rules, read_rules
from runner.settings import settings
from runner.steps.selecting import Asked
from runner.store.engine import Engine, open_store, require_current

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SELECT]...",
        help="Globs over cell ids or class names, key:value words, or a preset "
        "(smoke, popular, all). Default: smoke.",
        show_default=False,
    ),
]
Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", "-b", help="Backend; may be repeated.", show_default=False),
]
Variants = Annotated[
    list[str] | None,
    typer.Option("--variant", "-v", help="Variant; may be repeated.", show_default=False),
]
RevisionName = Annotated[
    str,
    typer.Option(
        "--revision",
        "-r",
        help="`installed`, a release such as 5.22.2, or a commit: path/to/transformers@main.",
    ),
]
BranchName = Annotated[
    str | None,
    typer.Option(
        "--branch",
        help="Branch of Transformers that the run is of, where --revision names a commit of it.",
    ),
]
ZooName = Annotated[
    str,
    typer.Option(
        "--provider",
        "--zoo",
        help="Who makes the cases: `transformers` (the rules of this project), `testers` (the "
        "model testers of the checkout that --revision names), or a module's dotted path.",
    ),
]
CasePath = Annotated[
    Path | None,
    typer.Option(
        "--case",
        help="Your own models instead of Transformers' classes: a Python file whose functions "
        "return (model, inputs), or a folder that save_pretrained wrote.",
        show_default=False,
    ),
]
DynamicShapes = Annotated[
    Path | None,
    typer.Option(
        "--dynamic-shapes",
        metavar="FILE",
        help="TOML: for a glob over model_type/ModelClass, which axes of which inputs are static, "
        "or symbolic within bounds; what is not named is automatic. For dynamic variants.",
        show_default=False,
    ),
]
LimitsFile = Annotated[
    Path | None,
    typer.Option(
        "--limits",
        metavar="FILE",
        help="TOML: your own rules of what a cell may take, which come before the project's "
        "(runner/limits.toml says how to write one). Default: EXPORT_MATRIX_LIMITS.",
        show_default=False,
    ),
]
TimeLimit = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds that a cell may take, whatever rules say.")
]
MemoryLimit = Annotated[
    int | None, typer.Option(min=1, help="MiB that a cell may take, whatever rules say.")
]
MemoryBudget = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="MiB that all cells together may take; what does not fit waits. Default: what is "
        "free, or a container's limit.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("-n", "--workers", min=1, help="Cells at once. Default: by cores and memory."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        help="Database URL. Default: EXPORT_MATRIX_DATABASE_URL, or a SQLite file here.",
        show_default=False,
    ),
]
Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE...", help="Result files (*.jsonl), JUnit XML, plans (*.json)."),
]

INSTALLED = "installed"
DEFAULT_ZOO = "transformers"


def opened(database: str | None) -> Engine:
    """The database that a command reads, of this version's schema; never made or upgraded here."""
    engine = open_store(database or settings().database_url)
    require_current(engine)
    return engine


def asked_for(  # noqa: PLR0913  (one parameter per option)
    words: Words,
    backends: Backends,
    variants: Variants,
    zoo: str,
    *,
    case: Path | None = None,
    shapes: Path | None = None,
) -> Asked:
    """What the options ask for; of the user's own models everything, unless words choose."""
    if case is not None:
        zoo, words = str(case.resolve()), words or ["all"]
    return Asked(
        words=words or (),
        backends=backends or (),
        variants=variants or (),
        zoo=PROVIDERS.get(zoo, zoo),
        shapes=shapes,
    )


def own_limits(
    file: Path | None, *, time_s: float | None, memory_mib: int | None
) -> tuple[LimitRule, ...]:
    """What is said of limits, before any that the project has."""
    rules: tuple[LimitRule, ...] = ()
    if file is not None:
        if not file.is_file():
            raise MatrixError(f"no such file: {file}")
        rules = read_rules(file.read_text(encoding="utf-8"), name=str(file))
    return (*one_rule(time_s=time_s, memory_mib=memory_mib), *rules)


def limit_rules(
    file: Path | None = None, *, time_s: float | None = None, memory_mib: int | None = None
) -> tuple[LimitRule, ...]:
    """All rules of a new run, the settings' among them."""
    has = settings()
    own = own_limits(
        file or has.limits,
        time_s=time_s or has.time_limit,
        memory_mib=memory_mib or has.memory_limit,
    )
    return (*own, *project_rules())
