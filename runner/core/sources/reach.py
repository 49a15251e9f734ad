"""What a cell can execute: the definitions that follow from its roots, name by name.

Rapid type analysis (Bacon & Sweeney, OOPSLA 1996) by name alone. From a definition one gets to

- what its bare names mean in its module, and `name.attribute` where the name is a module;
- the bases of a class, and those of its methods that anything reached so far calls by that name,
  whatever it is called on; special methods, and those that torch calls, always;
- for each module in which something is reached: what importing it does, and what it registers.

It reaches too much rather than too little. What it can't see is a name that is put together while
running. What is **barred** is not followed; each has its reason (`boundaries.toml`).
"""

import fnmatch
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NamedTuple, Self

from runner.core.sources.definitions import BODY, Class, Definition, Import, Module

#: methods that torch calls by their name
_TORCH_CALLS = {
    "forward", "backward", "jvp", "vmap", "setup_context", "extra_repr", "train", "eval", "apply",
    "_apply", "_load_from_state_dict", "_save_to_state_dict", "get_extra_state", "set_extra_state",
}  # fmt: skip
#: bases from elsewhere that call none but these, or special methods
_KNOWN_BASES = {
    "object", "dict", "list", "OrderedDict", "UserDict", "UserList", "Enum", "StrEnum", "ABC",
    "Exception", "ValueError", "Generic", "Protocol", "TypedDict", "NamedTuple",
    "torch.nn.Module", "nn.Module", "nn.Embedding", "nn.Linear", "nn.LayerNorm", "nn.Conv1d",
    "nn.Conv2d", "nn.ModuleList", "nn.ModuleDict", "nn.Sequential",
}  # fmt: skip


def _called_unseen(method: str) -> bool:
    """Whether a library calls the method by its name: Python, torch, or the Hub's dataclasses."""
    return method in _TORCH_CALLS or method.startswith(("__", "validate_"))


@cache
def _fits(attribute: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(attribute, pattern)


class Place(NamedTuple):
    """Where a definition stands; an empty name is what the module does besides."""

    module: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.module}:{self.name}" if self.name else self.module


@dataclass(slots=True)
class Reached:
    """The places that were reached, and from where."""

    #: place -> the place that names it; None for a root
    origins: dict[Place, Place | None] = field(default_factory=dict)
    #: attributes that something reached reads
    read: set[str] = field(default_factory=set)
    #: attribute -> methods of that name that nothing has called so far, of classes reached
    uncalled: dict[str, list[Place]] = field(default_factory=lambda: defaultdict(list))

    #: patterns of attributes that something reached puts together
    patterns: set[str] = field(default_factory=set)

    def reads(self, attribute: str) -> bool:
        return attribute in self.read or any(_fits(attribute, each) for each in self.patterns)

    def copy(self) -> Self:
        uncalled = defaultdict(list, {name: list(each) for name, each in self.uncalled.items()})
        return type(self)(dict(self.origins), set(self.read), uncalled, set(self.patterns))

    def path(self, place: Place) -> list[Place]:
        """How a place was reached, from its root."""
        steps: list[Place] = []
        at: Place | None = place
        while at is not None:
            steps.append(at)
            at = self.origins[at]
        return steps[::-1]


class Sources:
    """The modules of one revision."""

    def __init__(
        self, modules: Mapping[str, Module], *, barred: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._modules = modules
        self._barred = cache(lambda place: barred(place.id))
        self._resolve = cache(self._resolved)
        self._always = cache(self._followed)
        self._methods = cache(self._methods_of)

    def changed(self, other: "Sources") -> set[Place]:
        """The places whose definition is another there, or is in one of both alone."""
        mine, theirs = dict(self._digests()), dict(other._digests())
        return {
            place for place in mine.keys() | theirs.keys() if mine.get(place) != theirs.get(place)
        }

    def _digests(self) -> Iterator[tuple[Place, str]]:
        for module in self._modules.values():
            for name, definition in module.definitions.items():
                yield Place(module.name, name), definition.digest

    def __contains__(self, place: Place) -> bool:
        return self.find(place) is not None

    def definition(self, place: Place) -> Definition:
        return self._modules[place.module].definitions[place.name]

    def find(self, place: Place) -> Definition | None:
        module = self._modules.get(place.module)
        return module.definitions.get(place.name) if module else None

    def everything(self, module: str) -> Iterator[Place]:
        """All definitions of a module, if there is one of that name."""
        if found := self._modules.get(module):
            yield from (Place(module, name) for name in found.definitions)

    def classes(self, module: str) -> list[str]:
        """The classes that a module defines, as `module:Class`."""
        found = self._modules.get(module)
        return [f"{module}:{name}" for name in found.classes] if found else []

    def resolve(self, module: str, name: str) -> tuple[Place, ...]:
        """The definitions that a name can mean in a module."""
        return self._resolve(module, name)

    def entries(self, words: Iterable[str]) -> Iterator[Place]:
        """What the registries say of these words: model types and names of classes."""
        for word in words:
            yield from self._entries.get(word, ())

    def reach(self, roots: Iterable[Place], start: Reached | None = None) -> Reached:
        """What follows from the roots, beside what `start` reached already; it isn't changed."""
        reached = start.copy() if start else Reached()
        origins = reached.origins
        waiting: list[tuple[Place, Place | None]] = [(root, None) for root in roots]
        while waiting:
            place, origin = waiting.pop()
            if place in origins or self._barred(place):
                continue
            if (definition := self.find(place)) is None:
                continue
            origins[place] = origin
            waiting += [(each, place) for each in self._always(place) if each not in origins]
            waiting += [(each, place) for each in self._called(place, definition, reached)]
        return reached

    def _called(self, place: Place, definition: Definition, reached: Reached) -> Iterator[Place]:
        """The methods that are called now, by what was reached before or by this."""
        for attribute in definition.attributes - reached.read:
            reached.read.add(attribute)
            yield from reached.uncalled.pop(attribute, ())
        for pattern in definition.patterns - reached.patterns:
            reached.patterns.add(pattern)
            for name in fnmatch.filter(reached.uncalled, pattern):
                yield from reached.uncalled.pop(name)
        for method, name in self._methods(place):
            if reached.reads(name):
                yield method
            else:
                reached.uncalled[name].append(method)

    def _followed(self, place: Place) -> tuple[Place, ...]:
        """What follows from a definition, whatever else is reached."""
        follows = [*self._entered[place.module]]
        follows += self._naming(place.module, self.definition(place))
        if found := self._modules[place.module].classes.get(place.name):
            for base in found.bases:
                follows += self._dotted(place.module, base)
            follows += [
                Place(place.module, f"{place.name}.{name}")
                for name in found.methods
                if _called_unseen(name) or self._is_foreign(place.module, found)
            ]
        return tuple(dict.fromkeys(follows))

    def _methods_of(self, place: Place) -> tuple[tuple[Place, str], ...]:
        """The methods of a class that are reached once something calls them, with their names."""
        found = self._modules[place.module].classes.get(place.name)
        if found is None or self._is_foreign(place.module, found):
            return ()
        return tuple(
            (Place(place.module, f"{place.name}.{name}"), name)
            for name in sorted(found.methods)
            if not _called_unseen(name)
        )

    def _is_foreign(self, module: str, found: Class) -> bool:
        """Whether bases from elsewhere may call any method of the class."""
        return any(
            base not in _KNOWN_BASES and not tuple(self._dotted(module, base))
            for base in found.bases
        )

    def _naming(self, module: str, definition: Definition) -> Iterator[Place]:
        inner = dict(definition.imports)
        for _, imported in definition.imports:
            yield from self._imported(imported)
        for name in definition.names:
            yield from self.resolve(module, name)
        for name, attribute in definition.pairs:
            alias = inner.get(name) or self._modules[module].imports.get(name)
            if alias and (source := self._as_module(alias)):
                yield from self.resolve(source, attribute)

    def _dotted(self, module: str, dotted: str) -> Iterable[Place]:
        head, _, rest = dotted.partition(".")
        if not rest:
            return self.resolve(module, head)
        imported = self._modules[module].imports.get(head)
        source = self._as_module(imported) if imported else None
        return self.resolve(source, rest) if source else ()

    def _resolved(self, module: str, name: str) -> tuple[Place, ...]:
        """Follows imports from module to module, which may go in circles."""
        places: list[Place] = []
        waiting, seen = [(module, name)], set[tuple[str, str]]()
        while waiting:
            at = waiting.pop()
            found = self._modules.get(at[0])
            if found is None or at in seen:
                continue
            seen.add(at)
            onward = [(star, at[1]) for star in found.stars]
            if at[1] in found.definitions:
                places.append(Place(*at))
            if imported := found.imports.get(at[1]):
                if source := self._as_module(imported):
                    places.append(Place(source, BODY))
                elif imported.attribute is not None:
                    onward.append((imported.module, imported.attribute))
            elif not onward and at[1] not in found.definitions:
                places += self._lazily(*at)
            waiting += onward
        return tuple(dict.fromkeys(places))

    def _imported(self, imported: Import) -> Iterable[Place]:
        if source := self._as_module(imported):
            return (Place(source, BODY),)
        if imported.attribute is None:
            return ()
        return self.resolve(imported.module, imported.attribute)

    def _as_module(self, imported: Import) -> str | None:
        name = imported.module
        if imported.attribute is not None:
            name = f"{name}.{imported.attribute}"
        return name if name in self._modules else None

    def _lazily(self, package: str, name: str) -> Iterator[Place]:
        """What a package offers of its modules without importing them (`_LazyModule`)."""
        if package in self._packages:
            for module in self._defining.get(name, ()):
                if module.startswith(f"{package}."):
                    yield Place(module, name)

    @cached_property
    def _entries(self) -> Mapping[str, list[Place]]:
        entries: dict[str, list[Place]] = defaultdict(list)
        for module in self._modules.values():
            for word, names in module.entries.items():
                entries[word] += [Place(module.name, name) for name in names]
        return entries

    @cached_property
    def _packages(self) -> frozenset[str]:
        return frozenset(name.rpartition(".")[0] for name in self._modules)

    @cached_property
    def _defining(self) -> Mapping[str, list[str]]:
        defining = defaultdict(list)
        for module in self._modules.values():
            for name in module.definitions:
                if "." not in name:
                    defining[name].append(module.name)
        return defining

    @cached_property
    def _entered(self) -> Mapping[str, list[Place]]:
        """What is reached with anything of a module."""
        return {
            name: [Place(name, each) for each in (BODY, *sorted(module.registered))]
            for name, module in self._modules.items()
        }
