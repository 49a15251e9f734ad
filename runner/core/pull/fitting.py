"""What of a long text is told within a bound: whole lines, and what is left out is said.

Every section keeps its heading and its count. Groups are given room in the order of the sections;
of one that doesn't fit, as many lines as do, and how many cells are not told. Room for saying so is
set aside before anything is told, so that the text never ends without it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: bytes of UTF-8, of which a text has never fewer than characters; GitHub takes 65,536 characters
COMMENT_BYTES = 65_000
#: what is kept for saying what is left out of one section
_SAID = 160


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: a heading, then lines that each tell so many cells."""

    heading: tuple[str, ...]
    lines: tuple[tuple[str, int], ...]

    @property
    def cells(self) -> int:
        return sum(count for _, count in self.lines)


@dataclass(frozen=True, slots=True)
class Part:
    """A section: always its first and last lines, and of its blocks what fits."""

    first: tuple[str, ...]
    blocks: tuple[Block, ...]
    last: tuple[str, ...] = ()


def size(lines: Iterable[str]) -> int:
    """Bytes of the lines, with their ends."""
    return sum(len(line.encode()) + 1 for line in lines)


def fitted(
    first: Sequence[str], parts: Sequence[Part], last: Sequence[str], *, limit: int, where: str
) -> list[str]:
    """The lines of it all within `limit` bytes; `where` says where a reader finds the rest."""
    fixed = [*first, *last, *(line for part in parts for line in (*part.first, *part.last))]
    room = limit - size(fixed) - len(parts) * (_SAID + size([where]))
    told = list(first)
    for part in parts:
        lines, left = _blocks(part.blocks, room)
        room -= size(lines)
        told += [*part.first, *lines]
        if left:
            told += ["", f"and {_counted(left)} more{where}"]
        told += part.last
    return [*told, *last]


def _blocks(blocks: Sequence[Block], room: int) -> tuple[list[str], int]:
    """The lines of the blocks that fit, and how many cells they leave out."""
    told: list[str] = []
    left = 0
    for block in blocks:
        lines, missed = _block(block, room)
        told += lines
        room -= size(lines)
        left += missed
    return told, left


def _block(block: Block, room: int) -> tuple[list[str], int]:
    """As many of a block's lines as fit, if any cell does."""
    told, cells = list(block.heading), 0
    used = size(told)
    untold = {line for line, count in block.lines if not count}
    for line, count in block.lines:
        used += size([line])
        if used > room:
            break
        told.append(line)
        cells += count
    while told and told[-1] in untold:  # a model of which no cell is told
        told.pop()
    return (told, block.cells - cells) if cells else ([], block.cells)


def _counted(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells:,} cells"
