"""Recipes that worked, remembered by what they depend on: a second discovery costs seconds.

One file for each state of what all classes share (`harness.zoo.fingerprint`), a line a class. What
could not be built is not remembered; it is tried again. A recipe is told, never believed: a cell
makes its case anew.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from harness.zoo.fingerprint import Sources

_KEPT_FILES = 8


class Recipes:
    """The recipes for one Transformers, kept in a folder."""

    def __init__(self, folder: Path, package: Path) -> None:
        self._sources = Sources(package)
        self._file = folder / "recipes" / f"{self._sources.common}.json"
        self._known: dict[str, dict[str, object]] = {}
        if self._file.is_file():
            self._known = json.loads(self._file.read_text(encoding="utf-8"))

    def recall(self, name: str) -> Mapping[str, object] | None:
        """The recipe of a `model_type/ModelClass`, if nothing that it depends on has changed."""
        entry = self._known.get(name)
        if entry is None or entry["fingerprint"] != self._fingerprint(name, entry["recipe"]):
            return None
        recipe: Mapping[str, object] = entry["recipe"]  # type: ignore[assignment]  # as written below
        return recipe

    def remember(self, recipes: Mapping[str, Mapping[str, object]]) -> None:
        """Add recipes and write the file, whole or not at all; the oldest files go."""
        for name, recipe in recipes.items():
            fingerprint = self._fingerprint(name, recipe)
            self._known[name] = {"fingerprint": fingerprint, "recipe": dict(recipe)}
        folder = self._file.parent
        folder.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(f".draft-{os.getpid()}")
        draft.write_text(json.dumps(self._known), encoding="utf-8")
        draft.rename(self._file)
        newest_first = sorted(folder.glob("*.json"), key=lambda each: -each.stat().st_mtime)
        for old in newest_first[_KEPT_FILES:]:
            old.unlink()

    def _fingerprint(self, name: str, recipe: object) -> str:
        made_of = recipe.get("made_of", []) if isinstance(recipe, Mapping) else []
        modules = [str(each).split(".") for each in made_of]
        packages = {parts[2] for parts in modules if parts[:2] == ["transformers", "models"]}
        return self._sources.fingerprint([name.partition("/")[0], *sorted(packages)])
