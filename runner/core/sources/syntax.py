"""What the nodes of a syntax tree say: names, strings, what a block asks and holds."""

import ast
from collections.abc import Iterable, Iterator

#: characters that a pattern must say to mean something
_TELLING = 6
Block = ast.If | ast.Try | ast.With | ast.For | ast.While


def words(node: ast.expr) -> tuple[str, ...]:
    """The strings that an entry's key or value is made of; nothing if it is made of more."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            parts = [words(each) for each in elements if not _is_none(each)]
            return tuple(word for each in parts for word in each) if all(parts) else ()
        case ast.Dict(keys=keys, values=values):
            parts = [words(each) for each in [*keys, *values] if each is not None]
            return tuple(word for each in parts for word in each) if all(parts) else ()
        case _:
            return ()


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def bodies(statement: Block) -> Iterator[list[ast.stmt]]:
    yield statement.body
    if isinstance(statement, ast.Try):
        yield from (handler.body for handler in statement.handlers)
        yield statement.finalbody
    if not isinstance(statement, ast.With):
        yield statement.orelse


def asked(statement: Block) -> list[ast.AST]:
    match statement:
        case ast.If() | ast.While():
            return [statement.test]
        case ast.For():
            return [statement.target, statement.iter]
        case ast.With():
            return [each.context_expr for each in statement.items]
        case ast.Try():
            return [each.type for each in statement.handlers if each.type]


def assigned(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement assigns to; `TABLE["key"] = …` adds to `TABLE`."""
    match statement:
        case ast.Assign():
            targets = statement.targets
        case ast.AnnAssign() | ast.AugAssign():
            targets = [statement.target]
        case _:
            return
    for target in targets:
        for each in target.elts if isinstance(target, ast.Tuple) else [target]:
            holder: ast.expr = each
            while isinstance(holder, ast.Subscript | ast.Attribute):
                holder = holder.value
            if isinstance(holder, ast.Name):
                yield holder.id


def hands_over(decorators: Iterable[ast.expr]) -> bool:
    """Whether a decorator registers: what it decorates is then found without being named."""
    called = (each.func if isinstance(each, ast.Call) else each for each in decorators)
    return any("register" in (dotted(each) or "") for each in called)


def dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            head = dotted(value)
            return head and f"{head}.{attribute}"
        case ast.Subscript(value=value):
            return dotted(value)
        case ast.Call(func=function):
            return dotted(function)
        case _:
            return None


def pattern(string: ast.JoinedStr) -> Iterator[str]:
    """The pattern of the names that an f-string can make, if it can make names."""
    parts = [each.value if isinstance(each, ast.Constant) else None for each in string.values]
    said = "".join(str(part) for part in parts if part is not None)
    if len(said) >= _TELLING and f"_{said}".isidentifier():
        yield "".join("*" if part is None else str(part) for part in parts)


def without_docstring(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that do something; a string alone does not."""
    for each in body:
        match each:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                pass
            case _:
                yield each


def evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Like `ast.walk`, without annotations: they name what is expected, not what is used."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        for name, value in ast.iter_fields(found):
            if name not in ("annotation", "returns"):
                values = value if isinstance(value, list) else [value]
                waiting += [each for each in values if isinstance(each, ast.AST)]


def strip_docstrings(node: ast.AST) -> None:
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            each.body = list(without_docstring(each.body)) or [ast.Pass()]
