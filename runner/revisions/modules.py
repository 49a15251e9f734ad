"""The modules of a revision, taken apart; what was read once is kept by its text.

The first reading of a Transformers takes half a minute, every other a second or two: two
neighbouring commits share nearly all of their modules.
"""

import gc
import hashlib
import pickle
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from runner.core.sources import boundaries, definitions
from runner.core.sources.definitions import Module, take_apart

_KEPT = 20_000
#: what is kept holds for one way of reading
_VERSION = hashlib.sha256(Path(definitions.__file__).read_bytes()).hexdigest()[:16]
_TABLE = "CREATE TABLE IF NOT EXISTS module (key TEXT PRIMARY KEY, body BLOB NOT NULL)"


def digest_of(packages: Mapping[str, Path]) -> str:
    """Of all texts below the packages' folders: a tenth of the work of taking them apart."""
    digest = hashlib.sha256()
    for package, folder in sorted(packages.items()):
        for name, path in _files(package, folder):
            digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:32]


def read_modules(packages: Mapping[str, Path], *, cache: Path) -> dict[str, Module]:
    """The modules below each package's folder by dotted name; what is no Python is left out."""
    cache.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(cache / "modules.sqlite", timeout=60)) as kept, _no_collection():
        kept.execute(_TABLE)
        texts = {
            name: path.read_bytes()
            for package, folder in packages.items()
            for name, path in _files(package, folder)
        }
        keys = {name: _key(name, text) for name, text in texts.items()}
        wanted = set(keys.values())
        known = {
            key: pickle.loads(body)  # noqa: S301  (our own file, written below)
            for key, body in kept.execute("SELECT key, body FROM module")
            if key in wanted
        }
        fresh = {
            keys[name]: _apart(name, text)
            for name, text in texts.items()
            if keys[name] not in known
        }
        rows = [(key, pickle.dumps(module)) for key, module in fresh.items()]
        with kept:
            kept.executemany("INSERT OR REPLACE INTO module VALUES (?, ?)", rows)
            kept.execute(
                "DELETE FROM module WHERE rowid <= (SELECT max(rowid) FROM module) - ?", [_KEPT]
            )
    found = known | fresh
    modules = [found[key] for key in keys.values()]
    return {module.name: module for module in modules if module is not None}


def _files(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = (package, *path.relative_to(folder).with_suffix("").parts)
        yield ".".join(parts), path


def _key(name: str, text: bytes) -> str:
    return f"{_VERSION} {name} {hashlib.sha256(text).hexdigest()}"


def _apart(name: str, text: bytes) -> Module | None:
    package = name.endswith(".__init__")
    name = name.removesuffix(".__init__")
    try:
        return take_apart(text.decode(), name, package=package, registry=boundaries.registry(name))
    except (SyntaxError, ValueError):
        return None


@contextmanager
def _no_collection() -> Iterator[None]:
    # Syntax trees are many objects without cycles: collecting them takes half of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
