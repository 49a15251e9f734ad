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

from runner.core.sources.syntax import (
    Block,
    asked,
    assigned,
    bodies,
    dotted,
    evaluated,
    hands_over,
    pattern,
    strip_docstrings,
    without_docstring,
    words,
)

#: the definition that holds what a module does besides defining
BODY = ""
#: entries from which on a table of strings is a registry, whose rows concern one model each
_LONG = 20
_Function = ast.FunctionDef | ast.AsyncFunctionDef


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
                self.patterns.update(pattern(node))
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
        for statement in without_docstring(body):
            match statement:
                case ast.Import() | ast.ImportFrom():
                    self._import(statement)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._add(statement.name, [*guards, statement])
                    if hands_over(statement.decorator_list):
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
        names = list(assigned(statement))
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
                    plain = [row for row in rows if words(row[0]) and words(row[1])]
                    if len(plain) == len(keys):
                        holder.keys, holder.values = [], []
                case ast.List(elts=elements) if len(elements) >= _LONG:
                    pairs = [each for each in elements if isinstance(each, ast.Tuple)]
                    plain = [
                        (each.elts[0], each.elts[1])
                        for each in pairs
                        if len(each.elts) == 2 and all(map(words, each.elts))
                    ]
                    if len(plain) == len(elements):
                        holder.elts = []
                case _:
                    continue
            for key, value in plain:
                for word in (*words(key), *words(value)):
                    self._tables.setdefault(word, set()).add(f"{table}[{words(key)[0]}]")
                self._add(f"{table}[{words(key)[0]}]", [key, value])

    def _guarded(self, statement: Block, guards: list[ast.AST]) -> None:
        """A block: what it defines, each under what the block asks."""
        under = [*guards, *asked(statement)]
        for body in bodies(statement):
            self._block(body, under)
        if isinstance(statement, ast.For | ast.While | ast.With):
            self._add(BODY, [*guards, statement])

    def _class(self, statement: ast.ClassDef, guards: list[ast.AST]) -> None:
        head: list[ast.AST] = [*guards, *statement.decorator_list, *statement.bases]
        head += [each.value for each in statement.keywords]
        methods = set()
        for each in without_docstring(statement.body):
            if isinstance(each, _Function):
                methods.add(each.name)
                self._add(f"{statement.name}.{each.name}", [each])
            else:
                methods.update(assigned(each))
                head.append(each)
        # A class that another branch defines too is both.
        before = self._classes.get(statement.name)
        bases = tuple(filter(None, map(dotted, statement.bases)))
        self._classes[statement.name] = Class(
            bases=tuple(dict.fromkeys([*(before.bases if before else ()), *bases])),
            methods=frozenset(methods | (before.methods if before else set())),
        )
        self._add(statement.name, head)
        if hands_over(statement.decorator_list):
            self._registered.add(statement.name)

    def _add(self, name: str, nodes: Iterable[ast.AST]) -> None:
        self._parts.setdefault(name, []).extend(nodes)

    def _define(self, nodes: Iterable[ast.AST]) -> Definition:
        digest, named = hashlib.sha256(), _Named()
        imports: dict[str, Import] = {}
        for node in nodes:
            strip_docstrings(node)
            digest.update(ast.dump(node).encode())
            for each in evaluated(node):
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
