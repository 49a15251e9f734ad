"""What a case's recipe depends on, as a number: the sources, and the stack.

A class depends on its own package under `models/`, on the packages that those name in relative
imports, and on those whose modules and configurations the built model is made of (its recipe's
`made_of`): LLaVA's language model is whatever its configuration says. Everything of Transformers
outside of `models/`, this zoo and the versions of the stack are common to all classes.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from harness.stack import stack

_NEIGHBOUR = re.compile(r"^\s*from \.\.(\w+)", re.MULTILINE)
#: maps names to classes of all packages; the recipe says which ones were taken
_REGISTRY = "auto"


class Sources:
    """The sources of one Transformers."""

    def __init__(self, package: Path) -> None:
        self._package = package
        self._packages: dict[str, tuple[str, frozenset[str]]] = {}

    def fingerprint(self, packages: Iterable[str]) -> str:
        """Of a class that uses these packages under `models/`, and what those name."""
        seen: dict[str, str] = {}
        waiting = list(packages)
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen[name], neighbours = self._read(name)
                waiting += neighbours
        return _digest([self.common, *(f"{name} {seen[name]}" for name in sorted(seen))])

    @cached_property
    def common(self) -> str:
        """Of what all classes depend on."""
        models = self._package / "models"
        shared = [each for each in self._package.rglob("*.py") if models not in each.parents]
        ours = Path(str(files("harness.zoo")))
        versions = [f"{name} {version}" for name, version in sorted(stack().items())]
        zoo = [*ours.glob("*.py"), *ours.glob("*.toml")]
        return _digest([*versions, *_contents(shared, self._package), *_contents(zoo, ours)])

    def _read(self, name: str) -> tuple[str, frozenset[str]]:
        """A package's digest, and the packages beside it that it names."""
        if name not in self._packages:
            folder = self._package / "models" / name
            sources = sorted(folder.glob("*.py")) if name.isidentifier() else []
            texts = [each.read_text(encoding="utf-8") for each in sources]
            named = {found for text in texts for found in _NEIGHBOUR.findall(text)}
            kept = frozenset(named - {name, _REGISTRY})
            self._packages[name] = (_digest(_contents(sources, folder)), kept)
        return self._packages[name]


def _contents(sources: Iterable[Path], root: Path) -> Iterator[str]:
    for each in sorted(sources):
        digest = hashlib.sha256(each.read_bytes()).hexdigest()
        yield f"{each.relative_to(root)} {digest}"


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
