"""What inputs are made from: the configuration, the forward's parameters, and the sizes.

Fields are searched level by level, first in the sub-configuration that they are about
(`vision`, `audio`, `text`), then anywhere.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.zoo.configuration import is_configuration
from harness.zoo.documented import Parameter
from harness.zoo.sizes import Sizes

SEED = 7


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What inputs are made from."""

    configuration: Any
    class_name: str
    parameters: Mapping[str, Parameter]
    sizes: Sizes
    #: dimensions that a family spells out, parameter -> words
    shapes: Mapping[str, Any]
    #: what a family says that its inputs hold
    kinds: Mapping[str, str]
    #: what a family gives as they are
    values: Mapping[str, Any]
    #: pictures a row, where a model takes several
    images: int = 0

    def generator(self, name: str) -> Any:  # noqa: ANN401  (a torch.Generator)
        import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

        return torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))

    def find(self, *names: str, under: str = "") -> Any:  # noqa: ANN401  (any field)
        """The first of these fields that is set, searched level by level, `under` first."""
        for each in self._levels(under):
            for name in names:
                value = getattr(each, name, None)
                if value is not None:
                    return value
        return None

    def number(self, *names: str, under: str = "") -> int | None:
        """The first of these fields that is a whole number."""
        for each in self._levels(under):
            for name in names:
                value = getattr(each, name, None)
                if type(value) is int:
                    return value
        return None

    def _levels(self, under: str) -> list[Any]:
        every, level = [], [self.configuration]
        while level:
            every += level
            level = [sub for each in level for sub in below(each).values()]
        return sorted(every, key=lambda each: under not in type(each).__name__.lower())

    @cached_property
    def choices(self) -> tuple[int, ...]:
        return (4,) if self.class_name.endswith("MultipleChoice") else ()

    @property
    def text(self) -> tuple[int, ...]:
        return (self.sizes.batch, *self.choices, self.sizes.text)

    @cached_property
    def image(self) -> tuple[int, int]:
        """Height and width of a picture."""
        size = self.find("image_size", "img_size", "input_size", under="vision")
        patch = side(self.find("patch_size", "patch_stride", under="vision")) or 16
        height, width = pair(size) if size and max(pair(size)) <= 512 else (4 * patch, 4 * patch)
        return self.sizes.height or max(height, 16), self.sizes.width or max(width, 16)

    @property
    def channels(self) -> int:
        return self.number("num_channels", "in_channels", "in_chans", under="vision") or 3

    @property
    def bins(self) -> int:
        """How many numbers a frame of a spectrogram has."""
        names = ("num_mel_bins", "feature_size", "n_mels", "input_feat_per_channel", "input_dim")
        more = ("feature_projection_input_dim", "num_mels", "mel_bins", "input_channels")
        return self.number(*names, *more, under="audio") or 80

    @property
    def patches(self) -> int:
        """How many patches a picture has."""
        patch = side(self.find("patch_size", under="vision")) or 16
        return self.image[0] // patch * (self.image[1] // patch)


def below(configuration: Any) -> dict[str, Any]:  # noqa: ANN401  (a PreTrainedConfig)
    """The sub-configurations of a configuration, by field."""
    return {k: v for k, v in vars(configuration).items() if is_configuration(v)}


def pair(size: Any) -> tuple[int, int]:  # noqa: ANN401  (an int, a pair or a mapping)
    """A size as height and width."""
    if isinstance(size, Mapping):
        return size.get("height", 0), size.get("width", 0)
    if isinstance(size, int):
        return size, size
    return int(size[0]), int(size[-1])


def side(size: Any) -> int | None:  # noqa: ANN401  (an int, a pair or None)
    return pair(size)[0] if size else None


def tensor(name: str, shape: tuple[int, ...], setting: Setting, *, kind: str = "float") -> Any:  # noqa: ANN401  (a tensor)
    """Random numbers, whole ones, or a mask; the kinds are those of `overrides.toml`."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    generator = setting.generator(name)
    if kind == "float":
        return torch.randn(shape, generator=generator)
    if kind == "mask":
        return torch.ones(shape, dtype=torch.long)
    if kind == "bool":
        return torch.rand(shape, generator=generator) < 0.5
    if kind == "unit":
        return torch.rand(shape, generator=generator)
    word, _, number = kind.partition(" ")
    if word in _ARRANGED:
        return _ARRANGED[word](shape, int(number))
    below = int(kind.removeprefix("below ")) if kind.startswith("below ") else 2
    return torch.randint(0, below, shape, generator=generator)


def _all(shape: tuple[int, ...], value: int) -> Any:  # noqa: ANN401  (a tensor)
    """The same whole number everywhere."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return torch.full(shape, value)


def _first(shape: tuple[int, ...], count: int) -> Any:  # noqa: ANN401  (a tensor)
    """True at the beginning of each row, so many times."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    return (torch.arange(shape[-1]) < count).expand(shape).clone()


def _places(shape: tuple[int, ...], columns: int) -> Any:  # noqa: ANN401  (a tensor)
    """The (column, row) of each patch of a picture, in rows of so many."""
    import torch  # noqa: PLC0415  (the harness imports torch only where it runs)

    number = torch.arange(shape[-2])
    return torch.stack([number % columns, number // columns], dim=-1).expand(shape).clone()


_ARRANGED = {"all": _all, "first": _first, "places": _places}
