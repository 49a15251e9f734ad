"""The sizes that inputs have: what a case is traced with, and what it is run again with.

No size is 1, and the sizes of one case differ from each other and from the configuration's widths,
so that a graph that fixed one of them shows it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large the inputs of a case are."""

    batch: int = 2
    text: int = 10
    decoder: int = 7
    #: pixels a side; None: what the configuration says
    height: int | None = None
    width: int | None = None
    #: patches of one image where a model takes any number of them (time, height, width)
    grid: tuple[int, int, int] = (1, 4, 8)
    video_frames: int = 4
    samples: int = 8000
    frames: int = 64
    #: boxes, points, choices, and other things counted by the dozen
    few: int = 5


FIRST = Sizes()
_BATCH_AND_LENGTHS = Sizes(batch=3, text=13, decoder=9)
_AUDIO = Sizes(batch=3, text=13, decoder=9, samples=9600, frames=80)
_EVERYTHING = Sizes(
    batch=3, text=13, decoder=9, samples=9600, frames=80, height=96, width=128, grid=(1, 4, 12)
)
#: other sizes, the boldest first; what a model refuses eagerly is fixed, and said
OTHERS = (_EVERYTHING, _AUDIO, _BATCH_AND_LENGTHS, Sizes(batch=3), Sizes(text=13, decoder=9))
