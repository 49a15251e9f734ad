"""A Transformers checkout's own skip lists, read as known failures without importing anything.

Upstream leaves a class out of its export tests in three ways, each narrowing the cells it means:

- `EXPORT_SKIPS[scope][class] = reason` in `tests/exporters/test_export.py`. A scope is words with
  dots between: `all`, `generate`, `dynamic`, `static`, or a backend; all of them must hold.
- `test_torch_exportable = False` in a model's test case, or in one that it inherits from in the
  same file: everything of the case's model classes; the comment is the reason.
- A model's source that has `for expert` and not `use_experts_implementation`: its whole type.

What says "does not apply" rather than "fails" is no known failure: the classes without a static
cache (`_can_compile_fullgraph`) are no cells of ours either.
"""

import ast
import io
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from runner.core.known import KnownFailure

SKIPS_FILE = "tests/exporters/test_export.py"
_LIST, _FLAG = "EXPORT_SKIPS", "test_torch_exportable"
_SHAPES = ("dynamic", "static")
_LOOPS, _OPENS = "for expert", "use_experts_implementation"


def read_skips(texts: Mapping[str, str]) -> tuple[KnownFailure, ...]:
    """The entries of all lists; `texts` are a checkout's files by their path in it."""
    return tuple(entry for path, text in sorted(texts.items()) for entry in _entries(path, text))


def _entries(path: str, text: str) -> Iterator[KnownFailure]:
    if path == SKIPS_FILE:
        yield from _listed(path, text)
    elif path.startswith("tests/") and _FLAG in text:
        yield from _flagged(path, text)
    elif path.startswith("src/") and _LOOPS in text and _OPENS not in text:
        line = text[: text.index(_LOOPS)].count("\n") + 1
        reason = f"its experts are looped over; upstream skips such a source ({_OPENS})"
        yield _entry(path, f"{_type(path)}/*", reason, line, line)


def _entry(path: str, cells: str, reason: str, line: int, last_line: int) -> KnownFailure:
    return KnownFailure(
        cells=cells, reason=reason, file=path, line=line, last_line=last_line, upstream=True
    )


def _type(path: str) -> str:
    return PurePosixPath(path).parent.name


# ── EXPORT_SKIPS ────────────────────────────────────────────────────────────────────────────────
def _listed(path: str, text: str) -> Iterator[KnownFailure]:
    lines = text.splitlines()
    for scope, _, classes in _items(_assigned(_parsed(text).body, _LIST)):
        items = _items(classes)
        following = [line for _, line, _ in items[1:]] + [classes.end_lineno or 0]
        for (name, line, value), until in zip(items, following, strict=False):
            last = max(value.end_lineno or line, _said_until(lines, until - 1))
            yield _entry(path, f"*/{name}/{_scope(scope)}", _text(value), line, last)


def _items(value: ast.expr | None) -> list[tuple[str, int, ast.expr]]:
    """Key, line and value of what a literal dictionary says; its keys are dotted words."""
    if not isinstance(value, ast.Dict):
        return []
    return [
        (key.value, key.lineno, each)
        for key, each in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
        if key.value.replace(".", "").isidentifier()
    ]


def _said_until(lines: list[str], end: int) -> int:
    """The last line up to `end` that is not blank or a comment, which belongs to what follows."""
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _text(value: ast.expr) -> str:
    said = value.value if isinstance(value, ast.Constant) else ast.unparse(value)
    return " ".join(str(said).split())


def _scope(scope: str) -> str:
    """`variant/backend`, as globs."""
    words = scope.split(".")
    shape = next((word for word in words if word in _SHAPES), None)
    backend = next((word for word in words if word not in ("all", "generate", *_SHAPES)), "*")
    match "generate" in words, shape:
        case True, None:
            variant = "generate-*"
        case True, "dynamic":
            variant = "generate-dynamic"
        case True, _:
            variant = "generate-*static"
        case _, None:
            variant = "*"
        case _, _:
            variant = f"*-{shape}"
    return f"{variant}/{backend}"


# ── test_torch_exportable ───────────────────────────────────────────────────────────────────────
def _flagged(path: str, text: str) -> Iterator[KnownFailure]:
    cases = {each.name: each for each in _parsed(text).body if isinstance(each, ast.ClassDef)}
    exported: set[str] = set()
    skipped: dict[ast.Assign, set[str]] = {}
    for case in cases.values():
        flag, classes = _found(case, cases, _FLAG), _model_classes(case, cases)
        if flag is not None and isinstance(flag.value, ast.Constant) and flag.value.value is False:
            skipped.setdefault(flag, set()).update(classes)
        elif _exports(case, cases):
            exported |= classes
    comments = _comments(text) if skipped else {}
    for flag, classes in skipped.items():
        last = flag.end_lineno or flag.lineno
        said = (comments.get(line, "") for line in range(flag.lineno, last + 1))
        reason = " ".join(part for part in said if part) or "no reason given"
        if both := sorted(classes & exported):
            reason += f" ({', '.join(both)}: exported by another test case of the file)"
        cells = [f"{_type(path)}/{name}" for name in sorted(classes) or ["*"]]
        yield _entry(path, " ".join(cells), reason, flag.lineno, last)


def _found(case: ast.ClassDef, cases: Mapping[str, ast.ClassDef], name: str) -> ast.Assign | None:
    """What a test case, or the first it inherits from in the file, assigns to a name."""
    for statement in case.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                return statement
            case _:
                pass
    bases = (
        cases[base.id] for base in case.bases if isinstance(base, ast.Name) if base.id in cases
    )
    return next((found for base in bases if (found := _found(base, cases, name))), None)


def _exports(case: ast.ClassDef, cases: Mapping[str, ast.ClassDef]) -> bool:
    """Whether a test case has upstream's export tests, which come with the common ones."""
    bases = [base.id for base in case.bases if isinstance(base, ast.Name)]
    common = any(base.endswith(("ModelTesterMixin", "ModelTest")) for base in bases)
    return common or any(_exports(cases[base], cases) for base in bases if base in cases)


def _model_classes(case: ast.ClassDef, cases: Mapping[str, ast.ClassDef]) -> set[str]:
    """Those of `all_model_classes`, else those that the case's tester names."""
    found = _found(case, cases, "all_model_classes")
    if found is not None:
        return _classes(found.value)
    tester = _found(case, cases, "model_tester_class")
    named = cases.get(tester.value.id) if tester and isinstance(tester.value, ast.Name) else None
    return {
        name
        for each in (ast.walk(named) if named else ())
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
        if each.targets[0].id.endswith("_class") and "config" not in each.targets[0].id
        for name in _classes(each.value)
    }


def _classes(value: ast.expr) -> set[str]:
    names = (each.id for each in ast.walk(value) if isinstance(each, ast.Name))
    return {name for name in names if name[0].isupper()}


def _comments(text: str) -> dict[int, str]:
    """line -> its comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _assigned(body: list[ast.stmt], name: str) -> ast.expr | None:
    """What a module assigns to a name."""
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                return value
            case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name:
                return value
            case _:
                pass
    return None


def _parsed(text: str) -> ast.Module:
    """A file that can't be parsed says nothing."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])
