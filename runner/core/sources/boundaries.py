"""Where the search for what a cell can execute stops: see `boundaries.toml`."""

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files


@cache
def _table() -> dict[str, tuple[str, ...]]:
    text = files("runner.core.sources").joinpath("boundaries.toml").read_text(encoding="utf-8")
    read = tomllib.loads(text)
    running = [entry for entry in read["barred"] if entry.get("runs")]
    return {
        "barred": tuple(each for entry in read["barred"] for each in entry["modules"]),
        "run": tuple(each for entry in running for each in entry["modules"]),
        "registries": tuple(read["registries"]["modules"]),
    }


def barred(place: str) -> bool:
    """Whether nothing that decides an outcome lies in the definition, or behind it.

    `module:name`, or a module as a whole.
    """
    module = place.partition(":")[0]
    return _within(module) or any(
        fnmatchcase(place, pattern) for pattern in _table()["barred"] if ":" in pattern
    )


@cache
def _within(module: str) -> bool:
    return any(fnmatchcase(module, pattern) for pattern in _table()["barred"])


def runs(module: str) -> bool:
    """Whether a barred module's functions are executed nevertheless."""
    return any(fnmatchcase(module, pattern) for pattern in _table()["run"])


def registry(module: str) -> bool:
    """Whether the module's long tables have a row for each model."""
    return any(fnmatchcase(module, pattern) for pattern in _table()["registries"])
