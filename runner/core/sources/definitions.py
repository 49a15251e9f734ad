"""A module taken apart: its functions, classes, methods and names, and what each of them names.

The unit is a **definition**: a function; a method; a class without its methods; what a module
assigns to a name; and, under the empty name, what a module does besides (a registration, a loop).
Its digest is that of its syntax tree and of the imports that it uses, so comments, docstrings and
layout don't count. What stands under an `if` or a `try` at the top of a module counts with the
condition it stands under. In a registry, the rows of a long table of strings (model type -> class)
are definitions of their own, so that a new model doesn't change what another one depends on.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

#: the definition that holds what a module does besides defining
BODY = ""
#: characters that a pattern must say to mean something
_TELLING = 6
#: entries from which on a table of strings is a registry, whose rows concern one model each
_LONG = 20
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Block = ast.If | ast.Try | ast.With | ast.For | ast.While


class Import(NamedTuple):
    """A name bound by an import: the module, and what of it (None: the module itself)."""

    module: str
    attribute: str | None


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition is, and what it names."""

    digest: str
    #: bare names that it reads
    names: frozenset[str]
    #: attributes that it reads, of whatever
    attributes: frozenset[str]
    #: (`name`, `attribute`) of `name.attribute`
    pairs: frozenset[tuple[str, str]]
    #: what it imports itself
    imports: tuple[tuple[str, Import], ...] = ()
    #: attributes that it puts together, as patterns: `_validate_*_parameters`
    patterns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Class:
    """A class: its bases as written, dotted, and the names that it defines."""

    bases: tuple[str, ...]
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class Module:
    """A module taken apart."""

    name: str
    #: by name; a method is `Class.method`
    definitions: dict[str, Definition] = field(default_factory=dict)
    classes: dict[str, Class] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    #: modules that it takes all names of
    stars: tuple[str, ...] = ()
    #: definitions that a decorator hands to a registry as the module is imported
    registered: frozenset[str] = frozenset()
    #: what a long table says of a word: `bert` -> `MODEL_MAPPING_NAMES[bert]`, a definition
    entries: dict[str, tuple[str, ...]] = field(default_factory=dict)


def take_apart(text: str, name: str, *, package: bool = False, registry: bool = False) -> Module:
    """The module of that dotted name; `SyntaxError` if the text is no Python."""
    return _Reader(name, package=package, registry=registry).read(ast.parse(text))


@dataclass(slots=True)
class _Named:
    """What the nodes of a definition name."""

    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)

    def see(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name):
                self.names.add(name)
            case ast.Attribute(value=value, attr=attribute):
                self.attributes.add(attribute)
                if isinstance(value, ast.Name):
                    self.pairs.add((value.id, attribute))
            case ast.Constant(value=str(text)) if text.isidentifier():
                self.attributes.add(text)  # `getattr(model, "language_model")`
            case ast.JoinedStr():
                self.patterns.update(_pattern(node))
            case _:
                pass


class _Reader:
    def __init__(self, name: str, *, package: bool, registry: bool) -> None:
        self._name = name
        self._registry = registry
        self._package = name if package else name.rpartition(".")[0]
        self._parts: dict[str, list[ast.AST]] = {}
        self._classes: dict[str, Class] = {}
        self._imports: dict[str, Import] = {}
        self._stars: list[str] = []
        self._registered: set[str] = set()
        self._tables: dict[str, set[str]] = {}

    def read(self, tree: ast.Module) -> Module:
        self._block(tree.body, [])
        return Module(
            name=self._name,
            definitions={name: self._define(nodes) for name, nodes in self._parts.items()},
            classes=self._classes,
            imports=self._imports,
            stars=tuple(self._stars),
            registered=frozenset(self._registered),
            entries={word: tuple(sorted(names)) for word, names in self._tables.items()},
        )

    def _block(self, body: Iterable[ast.stmt], guards: list[ast.AST]) -> None:
        for statement in _without_docstring(body):
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._add(statement.name, [*guards, statement])
                    if _hands_over(statement.decorator_list):
                        self._registered.add(statement.name)
                case ast.ClassDef():
                    self._class(statement, guards)
                case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                    self._guarded(statement, guards)
                case _:
                    self._assignment(statement, guards)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        self._imports.update(self._bound(statement))
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            self._stars.append(self._absolute(statement))

    def _assignment(self, statement: ast.stmt, guards: list[ast.AST]) -> None:
        """What it assigns to; a statement that assigns nothing is what the module does."""
        names = list(_assigned(statement))
        if self._registry and len(names) == 1:
            self._entries(names[0], statement)
        for name in names or [BODY]:
            self._add(name, [*guards, statement])

    def _entries(self, table: str, statement: ast.stmt) -> None:
        """Takes the entries out of a long table of strings; each is a definition of its own."""
        for holder in ast.walk(statement):
            match holder:
                case ast.Dict(keys=keys, values=values) if len(keys) >= _LONG:
                    rows = [(key, value) for key, value in zip(keys, values, strict=True) if key]
                    plain = [row for row in rows if _words(row[0]) and _words(row[1])]
                    if len(plain) == len(keys):
                        holder.keys, holder.values = [], []
                case ast.List(elts=elements) if len(elements) >= _LONG:
                    pairs = [each for each in elements if isinstance(each, ast.Tuple)]
                    plain = [
                        (each.elts[0], each.elts[1])
                        for each in pairs
                        if len(each.elts) == 2 and all(map(_words, each.elts))
                    ]
                    if len(plain) == len(elements):
                        holder.elts = []
                case _:
                    continue
            for key, value in plain:
                for word in (*_words(key), *_words(value)):
                    self._tables.setdefault(word, set()).add(f"{table}[{_words(key)[0]}]")
                self._add(f"{table}[{_words(key)[0]}]", [key, value])

    def _guarded(self, statement: _Block, guards: list[ast.AST]) -> None:
        """A block: what it defines, each under what the block asks."""
        asked = [*guards, *_asked(statement)]
        for body in _bodies(statement):
            self._block(body, asked)
        if isinstance(statement, ast.For | ast.While | ast.With):
            self._add(BODY, [*guards, statement])

    def _class(self, statement: ast.ClassDef, guards: list[ast.AST]) -> None:
        head: list[ast.AST] = [*guards, *statement.decorator_list, *statement.bases]
        head += [each.value for each in statement.keywords]
        methods = set()
        for each in _without_docstring(statement.body):
            if isinstance(each, _Function):
                methods.add(each.name)
                self._add(f"{statement.name}.{each.name}", [each])
            else:
                methods.update(_assigned(each))
                head.append(each)
        # A class that another branch defines too is both.
        before = self._classes.get(statement.name)
        bases = tuple(filter(None, map(_dotted, statement.bases)))
        self._classes[statement.name] = Class(
            bases=tuple(dict.fromkeys([*(before.bases if before else ()), *bases])),
            methods=frozenset(methods | (before.methods if before else set())),
        )
        self._add(statement.name, head)
        if _hands_over(statement.decorator_list):
            self._registered.add(statement.name)

    def _add(self, name: str, nodes: Iterable[ast.AST]) -> None:
        self._parts.setdefault(name, []).extend(nodes)

    def _define(self, nodes: Iterable[ast.AST]) -> Definition:
        digest, named = hashlib.sha256(), _Named()
        imports: dict[str, Import] = {}
        for node in nodes:
            _strip_docstrings(node)
            digest.update(ast.dump(node).encode())
            for each in _evaluated(node):
                named.see(each)
                if isinstance(each, ast.Import | ast.ImportFrom):
                    imports.update(self._bound(each))
        for name in sorted(named.names & self._imports.keys()):
            digest.update(f"{name} is {self._imports[name]}".encode())
        return Definition(
            digest=digest.hexdigest()[:32],
            names=frozenset(named.names),
            attributes=frozenset(named.attributes),
            pairs=frozenset(named.pairs),
            imports=tuple(imports.items()),
            patterns=frozenset(named.patterns),
        )

    def _bound(self, statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                top = alias.name.partition(".")[0]
                name = alias.asname or top
                yield name, Import(alias.name if alias.asname else top, None)
                if not alias.asname:
                    yield alias.name, Import(alias.name, None)
            return
        source = self._absolute(statement)
        for alias in statement.names:
            if alias.name != "*":
                yield alias.asname or alias.name, Import(source, alias.name)

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = self._package.split(".")
        parts = parts[: len(parts) - statement.level + 1]
        return ".".join([*parts, statement.module] if statement.module else parts)


def _words(node: ast.expr) -> tuple[str, ...]:
    """The strings that an entry's key or value is made of; nothing if it is made of more."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            words = [_words(each) for each in elements if not _is_none(each)]
            return tuple(word for each in words for word in each) if all(words) else ()
        case ast.Dict(keys=keys, values=values):
            words = [_words(each) for each in [*keys, *values] if each is not None]
            return tuple(word for each in words for word in each) if all(words) else ()
        case _:
            return ()


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _bodies(statement: _Block) -> Iterator[list[ast.stmt]]:
    yield statement.body
    if isinstance(statement, ast.Try):
        yield from (handler.body for handler in statement.handlers)
        yield statement.finalbody
    if not isinstance(statement, ast.With):
        yield statement.orelse


def _asked(statement: _Block) -> list[ast.AST]:
    match statement:
        case ast.If() | ast.While():
            return [statement.test]
        case ast.For():
            return [statement.target, statement.iter]
        case ast.With():
            return [each.context_expr for each in statement.items]
        case ast.Try():
            return [each.type for each in statement.handlers if each.type]


def _assigned(statement: ast.stmt) -> Iterator[str]:
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


def _hands_over(decorators: Iterable[ast.expr]) -> bool:
    """Whether a decorator registers: what it decorates is then found without being named."""
    called = (each.func if isinstance(each, ast.Call) else each for each in decorators)
    return any("register" in (_dotted(each) or "") for each in called)


def _dotted(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            head = _dotted(value)
            return head and f"{head}.{attribute}"
        case ast.Subscript(value=value):
            return _dotted(value)
        case ast.Call(func=function):
            return _dotted(function)
        case _:
            return None


def _pattern(string: ast.JoinedStr) -> Iterator[str]:
    """The pattern of the names that an f-string can make, if it can make names."""
    parts = [each.value if isinstance(each, ast.Constant) else None for each in string.values]
    said = "".join(str(part) for part in parts if part is not None)
    if len(said) >= _TELLING and f"_{said}".isidentifier():
        yield "".join("*" if part is None else str(part) for part in parts)


def _without_docstring(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that do something; a string alone does not."""
    for each in body:
        match each:
            case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                pass
            case _:
                yield each


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Like `ast.walk`, without annotations: they name what is expected, not what is used."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        for name, value in ast.iter_fields(found):
            if name not in ("annotation", "returns"):
                values = value if isinstance(value, list) else [value]
                waiting += [each for each in values if isinstance(each, ast.AST)]


def _strip_docstrings(node: ast.AST) -> None:
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            each.body = list(_without_docstring(each.body)) or [ast.Pass()]
