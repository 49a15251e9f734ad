"""Which model classes Transformers has: read from its sources, nothing of it is imported.

A model class is a name in `__all__` of a `models/<model type>/modeling_*.py` that reaches
`PreTrainedModel` through its bases, across files. Every one is listed, in the order of model type
and name; one that can't become cases carries the reason in `skip`:

- an abstract base (`LlamaPreTrainedModel`) or a class that no base gives a `forward`;
- a package that is not installed: imported at the top of its module, asked for by
  `@requires(backends=…)`, or by `requires_backends(self, …)` in its `__init__` or a base's.

A class is generative if its bases reach `GenerationMixin`.
"""

import ast
import gc
import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.errors import RevisionError
from harness.zoo.base import ModelClass

_ROOT, _GENERATES = "PreTrainedModel", "GenerationMixin"
_ABSTRACT_FORWARDS = frozenset({"BackboneMixin", "Module"})
#: what Transformers calls otherwise: its name -> (the package to import, the one to install)
_ALIASES = {"vision": ("PIL", "pillow")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Class:
    """A class statement, as far as discovery reads it."""

    bases: tuple[str, ...]
    forwards: bool
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A module, as far as discovery reads it."""

    public: tuple[str, ...] = ()
    classes: dict[str, _Class] = field(default_factory=dict)
    #: name -> (dotted module under the package, its name there)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def discover(package: Path | None = None) -> tuple[ModelClass, ...]:
    """All model classes of the Transformers in `package` (default: the one that would import)."""
    root = package or package_folder()
    with _no_collection():
        library = _Library(root)
        files = sorted(root.glob("models/*/modeling_*.py"))
        found = {
            (each.model_type, each.name): each for file in files for each in library.read(file)
        }
    return tuple(found[key] for key in sorted(found))


def package_folder() -> Path:
    """The folder of the Transformers that `import transformers` would take."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        raise RevisionError("transformers is not installed; pip install 'export-matrix[exporters]'")
    return Path(spec.origin).parent


@contextmanager
def _no_collection() -> Iterator[None]:
    # Syntax trees are many objects without cycles: collecting them takes half of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Library:
    """Modules of one Transformers, each parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sources: dict[str, _Source] = {}

    def read(self, file: Path) -> Iterator[ModelClass]:
        module = ".".join(file.relative_to(self.root).with_suffix("").parts)
        source = self.source(module)
        for name in source.public:
            lineage = tuple(self._lineage(module, name))
            if name in source.classes and (_ROOT in (each for each, _ in lineage)):
                yield self._model_class(file, name, lineage)

    def source(self, module: str) -> _Source:
        if module not in self._sources:
            self._sources[module] = _parse(self._path(module), module)
        return self._sources[module]

    def _path(self, module: str) -> Path:
        path = self.root.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def _model_class(
        self, file: Path, name: str, lineage: Sequence[tuple[str, _Class | None]]
    ) -> ModelClass:
        module = ".".join(file.relative_to(self.root).with_suffix("").parts)
        needs = (
            *self.source(module).needs,
            *(n for _, each in lineage if each for n in each.needs),
        )
        return ModelClass(
            model_type=file.parent.name,
            name=name,
            module=f"transformers.{module}",
            generative=_GENERATES in (each for each, _ in lineage),
            skip=_why_not(name, lineage, needs),
        )

    def _lineage(self, module: str, name: str) -> Iterator[tuple[str, _Class | None]]:
        """The class and all its bases, depth first; None where its source says nothing more."""
        module, name = self._defined(module, name)
        each = self.source(module).classes.get(name) if module else None
        yield name, each
        if each is None or name in (_ROOT, _GENERATES):
            return
        for base in each.bases:
            yield from self._lineage(module, base)

    def _defined(self, module: str, name: str) -> tuple[str, str]:
        """Where a name is defined: follows imports until the class statement."""
        for _ in range(6):
            source = self.source(module)
            if name in source.classes or name not in source.imported:
                break
            module, name = source.imported[name]
        return module, name


def _why_not(
    name: str, lineage: Sequence[tuple[str, _Class | None]], needs: Sequence[str]
) -> str | None:
    missing = [
        _ALIASES.get(each, (each,))[-1] for each in dict.fromkeys(needs) if not installed(each)
    ]
    if missing:
        return f"needs {', '.join(missing)}, which is not installed"
    if name.endswith(_ROOT):
        return "abstract: the base of its model type's classes"
    if not any(each and each.forwards and n not in _ABSTRACT_FORWARDS for n, each in lineage):
        return "abstract: it has no forward"
    return None


@cache
def installed(package: str) -> bool:
    """Whether a package (or a backend, as Transformers calls it) can be imported here."""
    return importlib.util.find_spec(_ALIASES.get(package, (package,))[0]) is not None


def _parse(path: Path, module: str) -> _Source:
    if not path.is_file():
        return _Source()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [each for each in tree.body if isinstance(each, ast.Import | ast.ImportFrom)]
    return _Source(
        public=tuple(name for each in tree.body for name in _exported(each)),
        classes={each.name: _class(each) for each in tree.body if isinstance(each, ast.ClassDef)},
        imported=_imported(_reachable_imports(tree.body), module),
        needs=tuple(name for each in imports for name in _foreign(each)),
    )


def _exported(statement: ast.stmt) -> Sequence[str]:
    match statement:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
            return tuple(ast.literal_eval(value))
        case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
            return tuple(ast.literal_eval(value))
        case _:
            return ()


def _reachable_imports(body: Sequence[ast.stmt]) -> Iterator[ast.ImportFrom]:
    for each in body:
        if isinstance(each, ast.ImportFrom):
            yield each
        elif isinstance(each, ast.If | ast.Try):
            yield from _reachable_imports([*each.body, *each.orelse])


def _imported(imports: Iterator[ast.ImportFrom], module: str) -> dict[str, tuple[str, str]]:
    names: dict[str, tuple[str, str]] = {}
    for each in imports:
        if each.level:
            parents = module.split(".")[: -each.level]
            origin = ".".join([*parents, *(each.module or "").split(".")]).strip(".")
            names |= {alias.asname or alias.name: (origin, alias.name) for alias in each.names}
    return names


def _foreign(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in statement.names)
    elif not statement.level and statement.module:
        yield statement.module.partition(".")[0]


def _class(statement: ast.ClassDef) -> _Class:
    methods = {each.name: each for each in statement.body if isinstance(each, ast.FunctionDef)}
    return _Class(
        bases=tuple(name for base in statement.bases if (name := _last_name(base))),
        forwards="forward" in methods,
        needs=(*_required(statement.decorator_list), *_required_at_init(methods.get("__init__"))),
    )


def _last_name(expression: ast.expr) -> str | None:
    match expression:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return None


def _required(decorators: Sequence[ast.expr]) -> Iterator[str]:
    """The backends of `@requires(backends=("torch", "timm"))`, versions left out."""
    for each in decorators:
        match each:
            case ast.Call(func=ast.Name(id="requires"), keywords=[ast.keyword(value=value)]):
                yield from (name.split(">")[0].split("=")[0] for name in _strings(value))
            case _:
                pass


def _required_at_init(method: ast.FunctionDef | None) -> Iterator[str]:
    """The backends of an unconditional `requires_backends(self, …)`."""
    for each in method.body if method else ():
        match each:
            case ast.Expr(value=ast.Call(func=ast.Name(id="requires_backends"), args=[_, value])):
                yield from _strings(value)
            case _:
                pass


def _strings(expression: ast.expr) -> Iterator[str]:
    for each in ast.walk(expression):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value
