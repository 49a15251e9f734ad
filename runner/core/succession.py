"""What becomes of failure groups when rules or signatures change.

Results move from the group that they were in to that of their new signature. What people said of a
group (its issue, its owner, notes) hangs on the group itself, whose signature is only its name. So
a group goes on under the signature that most of its results have now, and from most to least:

- all of its results have one new signature, that no other group has: it is renamed;
- they have several: it is split; what was said goes on with the largest part, and those that keep
  its signature win a tie; the other parts are groups of their own;
- results of several groups have one: they are merged into the one that most of them come from. The
  others stay without results, each with what was said of it: nothing is lost, and what contradicts
  stands side by side.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

#: (old signature, new signature) -> results
Moves = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """Which signature each group goes on under, and where its results went."""

    #: old signature -> the one that the group has now; those that are left without any are not here
    heirs: Mapping[str, str]
    #: old signature -> the signatures that its results have now, the largest part first
    split: Mapping[str, tuple[str, ...]]
    #: new signature -> the groups whose results it has, the one that goes on first
    merged: Mapping[str, tuple[str, ...]]

    @property
    def renamed(self) -> dict[str, str]:
        """The groups that go on under another signature."""
        return {old: new for old, new in self.heirs.items() if old != new}


def succession(moves: Moves) -> Succession:
    """What becomes of each group, by where its results went; the same for every order of them."""
    ranked = sorted(moves, key=lambda pair: (-moves[pair], pair[0] != pair[1], pair))
    heirs: dict[str, str] = {}
    parts: dict[str, list[str]] = defaultdict(list)
    sources: dict[str, list[str]] = defaultdict(list)
    taken: set[str] = set()
    for old, new in ranked:
        if old not in heirs and new not in taken:
            heirs[old] = new
            taken.add(new)
        parts[old].append(new)
        sources[new].append(old)
    for new, olds in sources.items():
        olds.sort(key=lambda old: heirs.get(old) != new)
    return Succession(
        heirs=heirs,
        split={old: tuple(news) for old, news in parts.items() if len(news) > 1},
        merged={new: tuple(olds) for new, olds in sources.items() if len(olds) > 1},
    )
